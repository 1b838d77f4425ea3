//! A thread that may not be held on a processor runs where it runs.
#![cfg(feature = "sim")]

use mainspring_sys::affinity;
use mainspring_sys::fault::{Call, Fault, Plan as Faults, count_of};

use super::{Failures, One, Plan};
use crate::blocking::spawn_blocking;

/// EPERM, ESRCH, EFAULT, EINVAL: the same numbers everywhere.
const ERRNOS: [i32; 4] = [1, 3, 14, 22];

#[test]
fn whatever_a_pin_says_there_is_a_loop_and_its_pool_has_all_processors() {
    let Ok(all) = affinity::allowed() else {
        return;
    };
    // A thread of its own: masks stay.
    let sweep = std::thread::spawn(move || {
        let plan = Plan {
            capacity: 1,
            processors: all.clone(),
            builder: None,
        };
        let failures = Failures::<()>::new(Vec::new());
        let one = One {
            index: 0,
            plan: &plan,
            failures: &failures,
        };
        for errno in ERRNOS {
            for nth in 1.. {
                affinity::allow(&all).unwrap();
                let faults = Faults::new()
                    .at(Call::Affinity, nth, Fault::Errno(errno))
                    .install();
                let processor = one.pin();
                let is_met = count_of(Call::Affinity) >= nth;
                drop(faults);
                assert_eq!(processor, (!is_met).then_some(all[0]), "{errno} {nth}");
                let own = affinity::allowed().unwrap();
                assert_eq!(own.len() == 1, !is_met || all.len() == 1);
                let runtime = one.build(processor.is_some()).unwrap();
                let job = runtime.block_on(async { spawn_blocking(affinity::allowed).await });
                assert_eq!(job.unwrap().unwrap().unwrap(), all, "{errno} {nth}");
                if !is_met {
                    break;
                }
            }
        }
    });
    sweep.join().unwrap();
}
