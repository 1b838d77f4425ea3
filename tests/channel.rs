//! Channels: who gets what, in which order, and that nothing is lost on the way.

#[path = "channel/rig.rs"]
mod rig;

#[path = "channel/all.rs"]
mod all;
#[path = "channel/ghosts.rs"]
mod ghosts;
#[path = "channel/hazards.rs"]
mod hazards;
#[path = "channel/model.rs"]
mod model;
#[path = "channel/oneshot.rs"]
mod oneshot;
#[path = "channel/order.rs"]
mod order;
#[path = "channel/words.rs"]
mod words;
