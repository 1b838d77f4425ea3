//! Unit tests of the tree of tokens: what stays of a child, and how deep it may be.

use super::*;

fn children_of(token: &CancelToken) -> usize {
    token.0.below.borrow().iter().count()
}

#[test]
fn hz_h11_children_that_were_dropped_leave_no_memory_behind() {
    let root = CancelToken::new();
    for _ in 0..10 {
        let children: Vec<_> = (0..1000).map(|_| root.child_token()).collect();
        assert_eq!(children_of(&root), 1000);
        drop(children);
        assert_eq!(children_of(&root), 0);
    }
    assert_eq!(Rc::weak_count(&root.0), 0);
    assert_eq!(Rc::strong_count(&root.0), 1);
    let kept = root.child_token();
    for _ in 0..10_000 {
        drop(root.child_token());
    }
    assert_eq!(children_of(&root), 1, "and a slot is used again");
    drop(kept);
}

#[test]
fn hz_a32_a_tree_of_a_hundred_thousand_levels_is_cancelled_and_dropped() {
    let root = CancelToken::new();
    let mut leaf = root.clone();
    for _ in 0..100_000 {
        leaf = leaf.child_token();
    }
    root.cancel_with("deep");
    assert_eq!(leaf.reason(), Some("deep".into()));
    drop(root);
    drop(leaf);

    let mut leaf = CancelToken::new();
    for _ in 0..100_000 {
        leaf = leaf.child_token();
    }
    drop(leaf);
}

#[test]
fn a_token_is_not_hung_below_itself() {
    let root = CancelToken::new();
    let leaf = root.child_token().child_token();
    leaf.adopt(&root);
    root.adopt(&root);
    assert!(root.0.above.borrow().is_none());
    root.cancel();
    assert!(leaf.is_cancelled());
}

#[test]
fn a_token_that_is_hung_elsewhere_hears_from_there_only() {
    let (first, second) = (CancelToken::new(), CancelToken::new());
    let child = first.child_token();
    second.adopt(&child);
    assert_eq!((children_of(&first), children_of(&second)), (0, 1));
    first.cancel();
    assert!(!child.is_cancelled());
    second.cancel_with("second");
    assert_eq!(child.reason(), Some("second".into()));
}
