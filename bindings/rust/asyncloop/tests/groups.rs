//! Groups that are dropped before they have joined: their tasks end, nothing is left, and who
//! dropped them goes on.

mod support;

use asyncloop::{
    select, sleep, spawn, task_group, timeout, yield_now, Builder, Code, Result, TaskGroup,
};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::catch_unwind;
use std::rc::Rc;
use support::{ms, nothing_is_left, on_virtual};

#[derive(Clone, Default)]
struct Flag(Rc<Cell<bool>>);

impl Flag {
    fn set_when_dropped(&self) -> impl Drop {
        struct Sets(Flag);
        impl Drop for Sets {
            fn drop(&mut self) {
                self.0 .0.set(true);
            }
        }
        Sets(self.clone())
    }
}

#[test]
fn in_its_block() {
    on_virtual(async {
        let cleaned = Flag::default();
        let told = cleaned.clone();
        let block = task_group(|group| async move {
            group.spawn(async move {
                let why = sleep(ms(1000)).await.unwrap_err();
                sleep(ms(1)).await?;
                told.0.set(why.is_canceled());
                Ok(())
            });
            sleep(ms(1000)).await
        });
        assert!(timeout(ms(1), block).await.is_err());
        sleep(ms(5)).await.unwrap(); // of a task that nobody cancelled
        assert!(cleaned.0.get());
    });
    nothing_is_left();
}

// The block is done, and a branch beside it too: nothing has awaited the join.
#[test]
fn before_its_join_has_begun() {
    on_virtual(async {
        for iterations in 0..4 {
            let ended = Flag::default();
            let told = ended.set_when_dropped();
            let block = task_group(|group| async move {
                group.spawn(async move {
                    let _told = told;
                    sleep(ms(1000)).await
                });
                Ok(())
            });
            select! {
                _ = block => unreachable!("a task of it sleeps"),
                _ = async { for _ in 0..iterations { yield_now().await } } => (),
            }
            sleep(ms(5)).await.unwrap();
            assert!(ended.0.get(), "{iterations}");
        }
    });
    nothing_is_left();
}

// In an order that is shuffled, what joins may be cancelled before its first step.
#[test]
fn in_any_order() {
    for seed in 1..50 {
        let runtime = Builder::new().virtual_clock().shuffle(seed).build().unwrap();
        runtime.block_on(async {
            let ended = Flag::default();
            let told = ended.set_when_dropped();
            let task = spawn(task_group(|group| async move {
                group.spawn(async move {
                    let _told = told;
                    sleep(ms(1000)).await
                });
                select! {
                    _ = sleep(ms(1)) => Ok(()),
                    other = pending::<Result<()>>() => other,
                }
            }));
            sleep(ms(1)).await.unwrap();
            yield_now().await;
            task.abort();
            let _ = task.await;
            sleep(ms(5)).await.unwrap();
            assert!(ended.0.get(), "{seed}");
        });
    }
    nothing_is_left();
}

// Whatever comes first, a task is cancelled once, and may clean up in peace.
#[test]
fn cancels_once_in_any_order() {
    for seed in 0..100 {
        let runtime = match seed {
            0 => Builder::new().virtual_clock().build().unwrap(),
            seed => Builder::new().virtual_clock().shuffle(seed).build().unwrap(),
        };
        runtime.block_on(async {
            let cleaned = Flag::default();
            let told = cleaned.clone();
            let joins = seed % 2 == 0;
            let block = task_group(|group| async move {
                group.spawn(async move {
                    assert!(sleep(ms(1000)).await.unwrap_err().is_canceled());
                    for _ in 0..5 {
                        sleep(ms(1)).await.unwrap();
                    }
                    told.0.set(true);
                    Ok(())
                });
                match joins {
                    true => Ok(()),
                    false => sleep(ms(1000)).await,
                }
            });
            assert!(timeout(ms(1), block).await.is_err());
            sleep(ms(50)).await.unwrap();
            assert!(cleaned.0.get(), "{seed}");
        });
    }
    nothing_is_left();
}

#[test]
fn by_another_task() {
    on_virtual(async {
        let (ended, kept) = (Flag::default(), Rc::new(RefCell::new(None::<TaskGroup>)));
        let (told, group_of) = (ended.set_when_dropped(), kept.clone());
        let mut block = Box::pin(task_group(move |group| {
            group_of.replace(Some(group.clone()));
            async move {
                group.spawn(async move {
                    let _told = told;
                    while sleep(ms(1000)).await.is_err() {} // it would not listen
                    Ok(())
                });
                sleep(ms(1000)).await
            }
        }));
        assert!(timeout(ms(1), &mut block).await.is_err());
        spawn(async move { drop(block) }).await.unwrap();
        sleep(ms(1)).await.unwrap(); // of a task that nobody cancelled
        assert!(ended.0.get());
        let group = kept.take().unwrap();
        let refused = group.spawn(async { Ok(()) }).await.unwrap_err();
        assert_eq!(refused.code(), Code::ShutDown);
        group.cancel();
    });
    nothing_is_left();
}

#[test]
fn ended_by_another_task() {
    on_virtual(async {
        let ended = Flag::default();
        let told = ended.set_when_dropped();
        let mut block = Box::pin(task_group(|group| async move {
            group.spawn(async move {
                let _told = told;
                sleep(ms(1000)).await
            });
            sleep(ms(2)).await
        }));
        assert!(timeout(ms(1), &mut block).await.is_err());
        assert_eq!(spawn(block).await.unwrap().unwrap_err().code(), Code::NoTask);
        sleep(ms(1)).await.unwrap();
        assert!(ended.0.get());
    });
    nothing_is_left();
}

// The main future is dropped when nothing runs any more.
#[test]
fn by_nobody() {
    let run = || {
        on_virtual(async {
            let block = task_group(|group| async move {
                group.spawn(sleep(ms(1000)));
                asyncloop::time::call_soon(|| panic!("from a callback")).unwrap();
                pending::<Result<()>>().await
            });
            block.await
        })
    };
    let payload = catch_unwind(run).err().expect("a panic");
    assert_eq!(*payload.downcast::<&str>().unwrap(), "from a callback");
    nothing_is_left();
}

#[test]
fn by_a_panic_of_its_block() {
    on_virtual(async {
        let ended = Flag::default();
        let told = ended.set_when_dropped();
        let task = spawn(task_group(|group| async move {
            group.spawn(async move {
                let _told = told;
                sleep(ms(1000)).await
            });
            sleep(ms(1)).await?;
            panic!("in the block");
            #[allow(unreachable_code)]
            Ok(())
        }));
        assert!(task.await.unwrap_err().is_panic());
        sleep(ms(1)).await.unwrap();
        assert!(ended.0.get());
    });
    nothing_is_left();
}
