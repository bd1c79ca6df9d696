//! What is to happen and when: in the order of time, and of being put in where times are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Instant;

/// A priority queue whose heap moves small keys only.
pub(super) struct Queue<T> {
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    slots: Vec<Option<T>>,
    free: Vec<usize>,
    next: u64,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), next: 0 }
    }

    pub(super) fn push(&mut self, at: Instant, what: T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(what);
        self.heap.push(Reverse((at, self.next, slot)));
        self.next += 1;
    }

    /// Takes out what comes next, unless it comes after `end`.
    pub(super) fn pop(&mut self, end: Instant) -> Option<(Instant, T)> {
        let &Reverse((at, _, slot)) = self.heap.peek()?;
        if at > end {
            return None;
        }
        self.heap.pop();
        self.free.push(slot);
        let what = self.slots[slot].take().expect("a slot is filled while its key is in the heap");
        Some((at, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_in_the_order_of_time_and_then_of_being_put_in() {
        let at = Instant::from_micros;
        let mut queue = Queue::new();
        for (micros, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            queue.push(at(micros), what);
        }
        assert_eq!(queue.pop(at(0)), None);
        let mut order = Vec::new();
        while let Some((time, what)) = queue.pop(at(5)) {
            if what == 'a' {
                queue.push(at(5), 'e');
            }
            order.push((time.as_micros(), what));
        }
        assert_eq!(order, [(1, 'a'), (2, 'b'), (5, 'c'), (5, 'd'), (5, 'e')]);
    }
}
