//! Under `--cfg mainspring_storm`: a handler that restarts nothing, in every process of the suite, before its `main`.
//!
//! *Role.* `make storm` runs the tests while somebody sends each of their threads SIGURG, hundreds of times a second. Whatever waits in
//! the kernel then comes back with EINTR, unless a handler says SA_RESTART; this one does not. Programs that are not of the
//! suite ignore the signal, as everybody does by default.
//!
//! # Invariants
//!
//! - **STORM-1** The handler does nothing at all.
#![expect(unsafe_code, reason = "sigaction, called before `main`")]

extern "C" fn on_signal(_number: libc::c_int) {}

extern "C" fn install() {
    // SAFETY: a whole action without flags; its handler keeps STORM-1. It is called by the loader, once, when libc is ready.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        libc::sigaction(libc::SIGURG, &action, std::ptr::null_mut());
    }
}

/// The loader calls what stands here before `main`.
// SAFETY: an array of functions of this type is what the loader reads there.
#[used]
#[unsafe(link_section = ".init_array")]
static INSTALL: extern "C" fn() = install;
