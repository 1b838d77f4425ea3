//! The least program on smol's parts: one ready future.

fn main() {
    let executor = async_executor::LocalExecutor::new();
    async_io::block_on(executor.run(async {}));
}
