//! The least program on mainspring: one ready future.

fn main() {
    mainspring::run(async { println!("hello") }).expect("the loop runs");
}
