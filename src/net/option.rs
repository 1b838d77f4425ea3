//! Options of sockets: each is a type, and a socket takes any of them.
//!
//! A socket has methods for what is wanted every day (`set_nodelay`, `set_ttl`), and two for everything
//! else: `set_option` and `option`, which take the option itself. The option's type says what its value
//! is, so a wrong one does not compile, and no unit is guessed. An option without a type here can be named
//! by level and number, if it is a C int ([`Int`]).
//!
//! Where a system lacks an option the error is `Unsupported`, and names it.
//!
//! ```
//! use mainspring::net::{TcpSocket, option};
//! use std::time::Duration;
//! let socket = TcpSocket::new_v4()?;
//! socket.set_option(option::KeepAlive, true)?;
//! # #[cfg(target_os = "linux")] {
//! socket.set_option(option::KeepAliveIdle, Duration::from_secs(30))?;
//! assert_eq!(socket.option(option::KeepAliveIdle)?, Duration::from_secs(30));
//! # }
//! # std::io::Result::Ok(())
//! ```

pub use mainspring_sys::socket::option::{
    BindToDevice, Broadcast, Congestion, Cork, FastOpen, FastOpenConnect, FreeBind, HopLimit, Int,
    KeepAlive, KeepAliveCount, KeepAliveIdle, KeepAliveInterval, Linger, MulticastHops,
    MulticastInterfaceV4, MulticastInterfaceV6, MulticastLoopV4, MulticastLoopV6, MulticastTtl,
    NoDelay, NotSentLowWater, OnlyV6, OutOfBandInline, QuickAck, ReceiveBuffer, ReceiveErrorsV4,
    ReceiveErrorsV6, ReceivePacketInfoV4, ReceivePacketInfoV6, ReceiveSegments, ReceiveTimestamps,
    ReceiveTos, ReceiveTrafficClass, ReuseAddress, ReusePort, SegmentMax, SendBuffer, SocketOption,
    Tos, TrafficClass, Ttl, UserTimeout,
};

/// The methods by which a socket takes any option: for an `impl` whose type has `fn fd(&self) -> &Fd`.
macro_rules! any_option {
    () => {
        /// What `option` is set to; the options are in [`option`](crate::net::option).
        ///
        /// # Errors
        /// `Unsupported` where the system lacks it; what the kernel says otherwise.
        pub fn option<O: crate::net::option::SocketOption>(
            &self,
            option: O,
        ) -> std::io::Result<O::Value> {
            option.get(self.fd())
        }

        /// Sets `option`; the options are in [`option`](crate::net::option), with their values' types.
        ///
        /// # Errors
        /// `Unsupported` where the system lacks it, `InvalidInput` for a value that makes no sense
        /// anywhere; what the kernel says otherwise.
        pub fn set_option<O: crate::net::option::SocketOption>(
            &self,
            option: O,
            value: O::Value,
        ) -> std::io::Result<()> {
            option.set(self.fd(), value)
        }

        /// Takes the error that is pending on the socket (SO_ERROR); the kernel tells it once, to whoever
        /// asks or does an operation first.
        ///
        /// # Errors
        /// What the kernel says of the question.
        pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
            mainspring_sys::socket::take_error(self.fd())
        }
    };
}

/// The options of TCP that are wanted every day: for an `impl` whose type has `fn fd(&self) -> &Fd`.
macro_rules! tcp_options {
    () => {
        /// Whether small writes are sent at once (TCP_NODELAY).
        ///
        /// # Errors
        /// What the kernel says.
        pub fn nodelay(&self) -> std::io::Result<bool> {
            self.option(crate::net::option::NoDelay)
        }

        /// Sends small writes at once, or gathers them.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn set_nodelay(&self, nodelay: bool) -> std::io::Result<()> {
            self.set_option(crate::net::option::NoDelay, nodelay)
        }

        /// Whether a peer that is gone without a word is noticed (SO_KEEPALIVE).
        ///
        /// # Errors
        /// What the kernel says.
        pub fn keepalive(&self) -> std::io::Result<bool> {
            self.option(crate::net::option::KeepAlive)
        }

        /// Notices a peer that is gone without a word; how soon is for
        /// [`KeepAliveIdle`](crate::net::option::KeepAliveIdle) and its kin to say.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn set_keepalive(&self, keepalive: bool) -> std::io::Result<()> {
            self.set_option(crate::net::option::KeepAlive, keepalive)
        }

        /// What a close does about bytes that are not sent: see [`Linger`](crate::net::option::Linger).
        ///
        /// # Errors
        /// What the kernel says.
        pub fn linger(&self) -> std::io::Result<Option<std::time::Duration>> {
            self.option(crate::net::option::Linger)
        }

        /// Makes the close throw away what is not sent, and reset the connection. The other values of
        /// SO_LINGER block the thread in the close; who wants one all the same sets
        /// [`Linger`](crate::net::option::Linger).
        ///
        /// # Errors
        /// What the kernel says.
        pub fn set_zero_linger(&self) -> std::io::Result<()> {
            self.set_option(crate::net::option::Linger, Some(std::time::Duration::ZERO))
        }

        /// How many routers a packet may pass: IP_TTL or IPV6_UNICAST_HOPS, by the socket's family.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn ttl(&self) -> std::io::Result<u8> {
            mainspring_sys::socket::option::ttl(self.fd())
        }

        /// Sets how many routers a packet may pass.
        ///
        /// # Errors
        /// What the kernel says; EINVAL for 0 with IPv4.
        pub fn set_ttl(&self, hops: u8) -> std::io::Result<()> {
            mainspring_sys::socket::option::set_ttl(self.fd(), hops)
        }

        /// The class of service of the packets: IP_TOS or IPV6_TCLASS, by the socket's family.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn tos(&self) -> std::io::Result<u8> {
            mainspring_sys::socket::option::tos(self.fd())
        }

        /// Sets the class of service of the packets. The two bits of congestion are TCP's own.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn set_tos(&self, class: u8) -> std::io::Result<()> {
            mainspring_sys::socket::option::set_tos(self.fd(), class)
        }

        /// How many bytes the kernel keeps for sending (SO_SNDBUF); Linux says twice what it was told.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn send_buffer_size(&self) -> std::io::Result<usize> {
            self.option(crate::net::option::SendBuffer)
        }

        /// Sets how many bytes the kernel keeps for sending; it rounds as it likes.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn set_send_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
            self.set_option(crate::net::option::SendBuffer, bytes)
        }

        /// How many bytes the kernel keeps for receiving (SO_RCVBUF); Linux says twice what it was told.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn recv_buffer_size(&self) -> std::io::Result<usize> {
            self.option(crate::net::option::ReceiveBuffer)
        }

        /// Sets how many bytes the kernel keeps for receiving; it rounds as it likes.
        ///
        /// # Errors
        /// What the kernel says.
        pub fn set_recv_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
            self.set_option(crate::net::option::ReceiveBuffer, bytes)
        }
    };
}

pub(super) use {any_option, tcp_options};
