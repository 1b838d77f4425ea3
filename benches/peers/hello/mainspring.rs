//! The least program on mainspring: one ready future.

fn main() {
    mainspring::run(async {}).expect("the loop runs");
}
