//! A waker between what is polled in one place and the task that polls it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A poll is under way.
const INSIDE: u8 = 1;
/// Something has happened since the last poll began.
const CALLED: u8 = 2;

/// Turns that a poll may call for itself before other tasks are let in.
const TURNS: usize = 4;

/// Lets one task poll two ends that wake each other, and makes polls that have no cause cheap.
///
/// A connection and the body it fills are made for two tasks: handing a frame over wakes the one that reads, and taking
/// it wakes the one that fills. Where both are polled in one place, each such call would send the task to the run queue
/// for nothing. A relay keeps calls from inside a poll to itself and takes another turn instead.
pub struct Relay {
    post: Arc<Post>,
    /// Stands for `post`; kept, so that who compares wakers finds the same one each time.
    waker: Waker,
    /// The last poll found nothing more to do, and whatever may change that has been told whom to call.
    is_parked: bool,
}

struct Post {
    state: AtomicU8,
    task: Mutex<Waker>,
}

impl Default for Relay {
    fn default() -> Self {
        let post = Arc::new(Post { state: AtomicU8::new(0), task: Mutex::new(Waker::noop().clone()) });
        Self { waker: Waker::from(Arc::clone(&post)), post, is_parked: false }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("is_parked", &self.is_parked).finish_non_exhaustive()
    }
}

impl Relay {
    /// Polls until the work is done or waits for something outside; then the task of `cx` is woken when it happens.
    ///
    /// Costs next to nothing when nothing has happened since the last poll was left pending: always give it the same
    /// work, or poll anything new until it is ready.
    pub fn poll<T>(&mut self, cx: &Context<'_>, mut work: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.post.set_task(cx.waker());
        if self.is_parked && self.post.state.load(Ordering::Acquire) & CALLED == 0 {
            return Poll::Pending;
        }
        self.is_parked = false;
        for _ in 0..TURNS {
            self.post.state.store(INSIDE, Ordering::Release);
            let polled = work(&mut Context::from_waker(&self.waker));
            let was_called = self.post.state.swap(0, Ordering::AcqRel) & CALLED != 0;
            if polled.is_ready() {
                return polled;
            }
            if !was_called {
                self.is_parked = true;
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Post {
    fn set_task(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.will_wake(waker) {
            task.clone_from(waker);
        }
    }
}

impl Wake for Post {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // One step, so that a call is seen either by the poll under way or by the task.
        if self.state.fetch_or(CALLED, Ordering::AcqRel) & INSIDE == 0 {
            self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Counts how often a task would have been woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn task() -> (Arc<Task>, Waker) {
        let task = Arc::<Task>::default();
        (Arc::clone(&task), Waker::from(task))
    }

    fn woken(task: &Task) -> usize {
        task.0.load(Ordering::SeqCst)
    }

    #[test]
    fn calls_from_inside_take_a_turn_and_wake_nobody() {
        let (task, waker) = task();
        let mut relay = Relay::default();
        let mut turns = 0;
        let polled = relay.poll(&Context::from_waker(&waker), |cx| {
            turns += 1;
            if turns == 3 {
                return Poll::Ready(turns);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((polled, woken(&task)), (Poll::Ready(3), 0));
    }

    #[test]
    fn work_that_never_rests_lets_others_in() {
        let (task, waker) = task();
        let mut relay = Relay::default();
        let mut turns = 0;
        let polled: Poll<()> = relay.poll(&Context::from_waker(&waker), |cx| {
            turns += 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((polled, turns, woken(&task)), (Poll::Pending, TURNS, 1));
    }

    #[test]
    fn calls_from_outside_wake_the_task_that_asked_last_and_work_is_done_only_then() {
        let ((first, first_waker), (second, second_waker)) = (task(), task());
        let mut relay = Relay::default();
        let (mut turns, mut inner) = (0, None);
        let mut poll = |waker: &Waker| {
            let polled: Poll<()> = relay.poll(&Context::from_waker(waker), |cx| {
                turns += 1;
                inner = Some(cx.waker().clone());
                Poll::Pending
            });
            assert!(polled.is_pending());
            (turns, inner.clone())
        };
        assert_eq!(poll(&first_waker).0, 1);
        let (turns, inner) = poll(&second_waker);
        assert_eq!(turns, 1, "nothing had happened");
        if let Some(inner) = inner {
            inner.wake();
        }
        assert_eq!((woken(&first), woken(&second)), (0, 1));
        assert_eq!(poll(&second_waker).0, 2);
        assert_eq!(poll(&second_waker).0, 2);
    }

    #[test]
    fn calls_of_another_thread_are_never_lost() {
        for _ in 0..2_000 {
            let (task, waker) = task();
            let mut relay = Relay::default();
            let is_there = Arc::new(AtomicUsize::new(0));
            let mut caller = None;
            let mut seen = false;
            // The other thread calls while the poll is under way, at its end, or after it.
            let polled = relay.poll(&Context::from_waker(&waker), |cx| {
                if is_there.load(Ordering::SeqCst) == 1 {
                    seen = true;
                    return Poll::Ready(());
                }
                if caller.is_none() {
                    let (is_there, inner) = (Arc::clone(&is_there), cx.waker().clone());
                    caller = Some(std::thread::spawn(move || {
                        is_there.store(1, Ordering::SeqCst);
                        inner.wake();
                    }));
                }
                Poll::Pending
            });
            assert!(caller.take().is_some_and(|caller| caller.join().is_ok()));
            assert!(polled.is_ready() && seen || woken(&task) > 0, "the call was lost");
        }
    }
}
