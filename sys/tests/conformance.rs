//! One suite for every selector backend that this host can compile.
//!
//! *Role.* The contract is `mainspring_sys::backend`, clauses B1 to B12. Each claim below is a
//! function over any `Backend`, named by what it says, with its clause (`b05_…`) or its hazard
//! (`hz_c14_…`) in front; [`suite`] makes a `#[test]` of each for each backend, and again for the
//! closed enum `Selector` in front of it. A claim that no suite runs is dead code, and a warning.
//!
//! *Time.* No sleep stands for an event here: what must happen is waited for, at most
//! [`rig::PATIENCE`], and what must not happen is looked for in waits that do not block.
//!
//! *No fork here.* A child holds a copy of every descriptor until it calls exec, so that a peer which
//! was just dropped is not gone yet. What needs a child is in `exec.rs`, a process of its own.

#[path = "conformance/claims.rs"]
mod claims;
#[path = "conformance/files.rs"]
mod files;
#[path = "conformance/hang_up.rs"]
mod hang_up;
#[path = "conformance/many.rs"]
mod many;
#[path = "conformance/notify.rs"]
mod notify;
#[path = "conformance/process.rs"]
mod process;
#[path = "conformance/rig.rs"]
mod rig;
#[path = "conformance/through.rs"]
mod through;
#[path = "conformance/time.rs"]
mod time;

macro_rules! suite {
    ($suite:ident, $backend:ty, $name:expr) => {
        mod $suite {
            use mainspring_sys::backend::Backend;

            #[test]
            fn it_runs_on_the_backend_that_it_names() {
                assert_eq!(<$backend>::NAME, $name);
            }

            suite! { @claims $backend;
                claims::b01_a_number_is_free_again_after_remove,
                claims::b01_closing_is_enough_where_the_backend_says_so,
                claims::b02_add_reports_a_condition_that_already_holds,
                claims::b02_add_arms_for_what_comes_later,
                claims::b03_every_message_of_many_is_reported,
                claims::b04_a_reported_direction_is_silent_until_rearm,
                claims::b04_the_other_direction_stays_armed,
                claims::b05_rearm_reports_a_level_that_already_holds,
                claims::b05_after_rearm_the_next_message_is_reported,
                claims::b05_a_short_read_then_rearm_loses_nothing,
                claims::b05_rearm_adds_a_direction_that_already_holds,
                claims::b05_rearm_keeps_what_is_armed,
                claims::b05_rearm_of_write_reports_room,
                claims::hz_c03_a_burst_is_read_whole_with_any_buffer,
                claims::b06_wait_empties_the_batch_it_is_given,
                claims::b06_a_report_that_was_ignored_loses_no_data,
                claims::b08_after_remove_no_wait_reports_the_token,
                claims::hz_c09_a_number_reused_inside_a_batch_is_another_registration,
                claims::hz_c10_a_dup_kept_elsewhere_reports_nothing_after_remove,
                claims::hz_c11_remove_and_add_take_effect_in_one_turn,
                files::b11_a_second_add_already_exists,
                files::b11_remove_and_rearm_of_none_are_not_found,
                files::hz_c12_files_and_directories_are_unsupported,
                files::hz_c12_the_null_device_is_answered_alike,
                files::hz_c13_over_a_dup_both_registrations_work,
                files::b12_priority_reports_urgent_data_or_is_unsupported,
                files::b12_a_bad_interest_or_token_is_invalid_input,
                files::hz_c22_a_refused_add_leaves_nothing_behind,
                hang_up::b07_a_hang_up_wakes_every_armed_direction,
                hang_up::b07_a_reset_wakes_every_armed_direction,
                hang_up::b07_a_refused_connect_is_writable,
                hang_up::hz_c15_a_pipe_without_writers_is_readable,
                hang_up::hz_c15_a_full_pipe_without_readers_is_writable,
                hang_up::b07_data_before_the_hang_up_is_all_read,
                hang_up::hz_c16_after_a_half_close_we_can_still_write,
                hang_up::hz_c14_a_hang_up_nobody_waits_for_does_not_spin,
                hang_up::hz_c14_a_hang_up_behind_a_silent_entry_does_not_spin,
                process::hz_c20_a_number_closed_behind_our_back_does_not_spin,
                process::hz_c01_eintr_is_an_empty_return,
                process::hz_c02_a_late_notifier_closes_nobody_elses_number,
                many::hz_c21_a_small_batch_serves_everybody_in_turn,
                many::hz_c21_half_armed_registrations_do_not_starve_the_rest,
                many::hz_c21_what_does_not_fit_comes_later,
                many::more_than_1024_descriptors_are_watched,
                notify::b10_notify_before_wait_ends_it,
                notify::b10_notify_from_another_thread_ends_the_wait,
                notify::b10_a_thousand_notifications_are_one,
                notify::b10_notify_never_blocks_and_never_fails,
                notify::b10_a_notification_beside_an_event_hides_neither,
                notify::b10_a_notifier_outlives_its_selector,
                notify::b10_ping_pong_between_threads_loses_no_wake,
                notify::after_fork_nothing_is_registered_and_the_notifier_rings,
                notify::the_selector_descriptor_is_readable_while_there_is_a_report,
                time::b09_an_empty_wait_returns_at_once,
                time::b09_a_deadline_that_has_passed_does_not_sleep,
                time::b09_no_wait_is_early_and_none_spins,
                time::b09_enormous_deadlines_sleep_until_notified,
                time::an_event_ends_a_wait_before_its_deadline,
            }
        }
    };
    (@claims $backend:ty; $($module:ident :: $claim:ident,)*) => {
        $(
            #[test]
            fn $claim() {
                crate::$module::$claim::<$backend>();
            }
        )*
    };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
suite!(epoll, mainspring_sys::selector::epoll::Epoll, "epoll");
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
suite!(kqueue, mainspring_sys::selector::kqueue::Kqueue, "kqueue");
suite!(poll, mainspring_sys::selector::poll::Poll, "poll");
suite!(
    selector_native,
    crate::through::Native,
    <mainspring_sys::selector::Native as Backend>::NAME
);
suite!(selector_poll, crate::through::Poll, "poll");
