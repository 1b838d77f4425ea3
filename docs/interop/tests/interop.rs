//! The adapters: bytes round trips through each, whole and in order, however little moves at a time, and what is
//! dropped half-way loses nothing.

#[path = "interop/futures_io.rs"]
mod futures_io;
#[path = "interop/http2.rs"]
mod http2;
#[path = "interop/hyper.rs"]
mod hyper;
#[path = "interop/rig.rs"]
mod rig;
#[path = "interop/time.rs"]
mod time;
#[path = "interop/tls.rs"]
mod tls;
#[path = "interop/tls_ends.rs"]
mod tls_ends;
#[path = "interop/tokio_io.rs"]
mod tokio_io;
