//! Awaiting several things at once.

mod support;

use asyncloop::{
    as_completed, gather, gather_settled, join, join_all, select, shield, sleep, spawn, try_join,
    try_join_all, try_spawn, wait, wait_for, Code, Error, ReturnWhen, Waited,
};
use support::{ms, nothing_is_left, on_virtual};

fn later(time: u64, value: i32) -> asyncloop::JoinHandle<i32> {
    try_spawn(async move {
        sleep(ms(time)).await?;
        if value < 0 {
            return Err(Error::user(1, format!("number {value}")));
        }
        Ok(value)
    })
}

#[test]
fn gather_gives_values_in_order_or_the_first_error() {
    on_virtual(async {
        assert_eq!(gather([later(3, 1), later(1, 2)]).await.unwrap(), [1, 2]);
        let (a, b) = (later(3, 1), later(1, -2));
        let why = gather([&a, &b]).await.unwrap_err();
        assert_eq!((why.code(), why.message()), (Code::User(1), "number -2"));
        assert_eq!(a.await.unwrap(), 1); // it went on
        let all = gather_settled([later(1, -1), later(2, 5)]).await.unwrap();
        assert_eq!(all[0].as_ref().unwrap_err().message(), "number -1");
        assert_eq!(*all[1].as_ref().unwrap(), 5);
        gather([sleep(ms(1)), sleep(ms(2))]).await.unwrap();
    });
    nothing_is_left();
}

#[test]
fn shield_keeps_a_task_from_being_cancelled() {
    on_virtual(async {
        let inner = later(10, 4);
        let outer = spawn(async move {
            let why = shield(&inner).await.unwrap_err();
            assert!(why.is_canceled());
            inner.await
        });
        sleep(ms(1)).await.unwrap();
        outer.cancel();
        assert_eq!(outer.await.unwrap().unwrap(), 4);
    });
    nothing_is_left();
}

#[test]
fn wait_for_cancels_and_awaits_the_end() {
    on_virtual(async {
        let inner = spawn(async {
            let first = sleep(ms(1000)).await.unwrap_err();
            sleep(ms(1)).await.unwrap();
            first.code()
        });
        // It handled its cancellation, and that is its result.
        assert_eq!(wait_for(ms(5), &inner).await.unwrap(), Code::Canceled);
        assert!(wait_for(ms(5), sleep(ms(1000))).await.unwrap_err().is_timed_out());
        wait_for(ms(5), sleep(ms(1))).await.unwrap();
    });
    nothing_is_left();
}

#[test]
fn wait_tells_which_are_done() {
    on_virtual(async {
        let tasks = [later(1, 1), later(5, -2), later(9, 3)];
        let waited = wait(&tasks, None, ReturnWhen::FirstCompleted).await.unwrap();
        assert_eq!(waited, Waited { done: vec![0], pending: vec![1, 2] });
        let waited = wait(&tasks, None, ReturnWhen::FirstException).await.unwrap();
        assert_eq!(waited.done, [0, 1]);
        let waited = wait(&tasks, Some(ms(1)), ReturnWhen::AllCompleted).await.unwrap();
        assert_eq!(waited.pending, [2]);
        for task in tasks {
            let _ = task.await;
        }
    });
    nothing_is_left();
}

#[test]
fn as_completed_gives_them_as_they_come() {
    on_virtual(async {
        let mut all = as_completed([later(3, 3), later(1, 1), later(2, -2)], None).unwrap();
        assert_eq!(all.next().await.unwrap().unwrap(), 1);
        assert_eq!(all.next().await.unwrap().unwrap_err().code(), Code::User(1));
        assert_eq!(all.next().await.unwrap().unwrap(), 3);
        assert!(all.next().await.is_none());
        let mut slow = as_completed([later(100, 1)], Some(ms(1))).unwrap();
        assert!(slow.next().await.unwrap().unwrap_err().is_timed_out());
    });
    nothing_is_left();
}

#[test]
fn joins_and_selects_of_rust() {
    on_virtual(async {
        let (a, b, c) = join!(later(2, 1), async { "two" }, sleep(ms(3)));
        assert_eq!((a.unwrap(), b), (1, "two"));
        c.unwrap();
        assert_eq!(try_join!(later(1, 1), later(2, 2)).unwrap(), (1, 2));
        assert!(try_join!(later(1000, 1), later(1, -1)).is_err());
        assert_eq!(join_all((0..50).map(|i| async move { i })).await.len(), 50);
        assert_eq!(try_join_all([later(2, 1), later(1, 2)]).await.unwrap(), [1, 2]);
        let mut slow = later(10, 8);
        for _ in 0..5 {
            let first = select! {
                _ = &mut slow => unreachable!("too early"),
                _ = sleep(ms(1)) => 1,
                _ = sleep(ms(2)) => 2,
                never = std::future::pending() => never,
            };
            assert_eq!(first, 1);
        }
        assert_eq!(slow.await.unwrap(), 8);
    });
    nothing_is_left();
}

#[test]
fn a_select_that_is_cancelled_cancels_its_branches() {
    on_virtual(async {
        let task = spawn(async {
            select! {
                a = sleep(ms(1000)) => a,
                b = sleep(ms(2000)) => b,
            }
        });
        sleep(ms(1)).await.unwrap();
        task.cancel();
        assert!(task.await.unwrap().unwrap_err().is_canceled());
    });
    nothing_is_left();
}
