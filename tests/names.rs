//! Names and connections by name: look-ups, races of addresses, and what is left of those that are dropped.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

#[path = "net/signals.rs"]
mod signals;

#[path = "names/places.rs"]
mod places;

#[path = "names/faults.rs"]
mod faults;
#[path = "names/look_up.rs"]
mod look_up;
#[path = "names/pool.rs"]
mod pool;
#[path = "names/race.rs"]
mod race;
