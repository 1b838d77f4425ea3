//! The least program on monoio with its epoll driver: one ready future.

fn main() {
    let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new()
        .enable_timer()
        .build()
        .expect("the runtime starts");
    runtime.block_on(async {});
}
