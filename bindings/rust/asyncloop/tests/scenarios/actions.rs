//! The instructions that are done at once.

use crate::world::{interpret, seconds, Interpreter};
use asyncloop::sync::{Barrier, Condition, Event, Lock, ReadWriteLock, Semaphore};
use asyncloop::{mpsc, time, Code, Error, Listener, Promise, Queue, Result, Stream};
use std::cell::RefCell;
use std::rc::Rc;

/// The end that receives takes a `&mut`.
pub type Receiving = RefCell<mpsc::Receiver<i64>>;

fn done(result: Result<()>) -> Option<Result<String>> {
    Some(result.map(|()| "0".into()))
}

fn flag(flag: bool) -> Option<Result<String>> {
    Some(Ok(i32::from(flag).to_string()))
}

pub fn failure(words: &[&str]) -> Error {
    Error::user(words[0].parse().expect("a number"), words[1..].join(" "))
}

fn code_named(name: &str) -> Code {
    let found = (-10200..0).map(Code::from_raw).find(|code| code.name() == name);
    found.unwrap_or_else(|| panic!("no code is named {name}"))
}

/// `None`: no such instruction.
pub fn at_once(of: &Rc<Interpreter>, words: &[&str]) -> Option<Result<String>> {
    let name = words.get(1).copied().unwrap_or("");
    of_tasks(of, words, name)
        .or_else(|| make(of, words, name))
        .or_else(|| of_sync(of, words, name))
        .or_else(|| of_queues(of, words, name))
        .or_else(|| of_streams(of, words, name))
}

fn of_tasks(of: &Rc<Interpreter>, words: &[&str], name: &str) -> Option<Result<String>> {
    let world = &of.world;
    match words[0] {
        "spawn" => {
            world.task(name);
            done(Ok(()))
        }
        "start" => {
            let group = of.group.borrow().clone().expect("a group");
            world.keep(&format!("task {name}"), group.spawn(interpret(world.clone(), name.into())));
            done(Ok(()))
        }
        "cancel" => flag(world.task(name).cancel()),
        "raise" => Some(Err(failure(&words[1..]))),
        "raise_code" => Some(Err(code_named(name).into())),
        "return" => {
            of.returned.set(Some(name.parse().expect("a number")));
            done(Ok(()))
        }
        "later" => {
            let (world, text) = (world.clone(), words[2..].join(" "));
            done(time::call_later(seconds(name), move || world.leave("timer", &text)).map(drop))
        }
        "new_future" => done(Promise::<i64>::new().map(|made| world.keep(name, made))),
        "set_result" => {
            done(world.get::<Promise<i64>>(name).set(words[2].parse().expect("a number")))
        }
        "set_error" => done(world.get::<Promise<i64>>(name).fail(&failure(&words[2..]))),
        "cancel_future" => flag(world.get::<Promise<i64>>(name).cancel()),
        _ => None,
    }
}

fn make(of: &Rc<Interpreter>, words: &[&str], name: &str) -> Option<Result<String>> {
    let world = &of.world;
    let number = || words[2].parse::<usize>().expect("a number");
    match words[0] {
        "lock" => done(Lock::new().map(|made| world.keep(name, made))),
        "rwlock" => done(ReadWriteLock::new().map(|made| world.keep(name, made))),
        "event" => done(Event::new().map(|made| world.keep(name, made))),
        "condition" => done(Condition::new().map(|made| world.keep(name, made))),
        "barrier" => done(Barrier::new(number()).map(|made| world.keep(name, made))),
        "semaphore" => done(Semaphore::new(number()).map(|made| world.keep(name, made))),
        "bounded" => done(Semaphore::bounded(number()).map(|made| world.keep(name, made))),
        "queue" => {
            let size = words[3].parse().expect("a number");
            let made = match words[2] {
                "lifo" => Queue::<i64>::lifo(size),
                "priority" => Queue::priority(size),
                _ => Queue::new(size),
            };
            done(made.map(|made| world.keep(name, made)))
        }
        "channel" => {
            let made = match number() {
                0 => mpsc::unbounded::<i64>(),
                size => mpsc::channel(size),
            };
            done(made.map(|(sender, receiver)| {
                world.keep(&format!("{name} send"), sender);
                world.keep::<Receiving>(name, RefCell::new(receiver));
            }))
        }
        _ => None,
    }
}

fn of_sync(of: &Rc<Interpreter>, words: &[&str], name: &str) -> Option<Result<String>> {
    let world = &of.world;
    let semaphore = world.find::<Semaphore>(name);
    let condition = world.find::<Condition>(name);
    match words[0] {
        "release" => done(match (semaphore, condition) {
            (Some(semaphore), _) => semaphore.release(),
            (_, Some(condition)) => condition.release(),
            _ => world.get::<Lock>(name).release(),
        }),
        "locked" => flag(match (semaphore, condition) {
            (Some(semaphore), _) => semaphore.is_locked(),
            (_, Some(condition)) => condition.is_locked(),
            _ => world.get::<Lock>(name).is_locked(),
        }),
        "release_read" => done(world.get::<ReadWriteLock>(name).release_read()),
        "release_write" => done(world.get::<ReadWriteLock>(name).release_write()),
        "set" => {
            world.get::<Event>(name).set();
            done(Ok(()))
        }
        "clear" => {
            world.get::<Event>(name).clear();
            done(Ok(()))
        }
        "is_set" => flag(world.get::<Event>(name).is_set()),
        "notify" => {
            let n = words[2].parse().expect("a number");
            done(condition.expect("a condition").notify(n).map(drop))
        }
        "notify_all" => done(condition.expect("a condition").notify_all().map(drop)),
        _ => None,
    }
}

fn of_queues(of: &Rc<Interpreter>, words: &[&str], name: &str) -> Option<Result<String>> {
    let world = &of.world;
    let number = words.get(2).and_then(|word| word.parse::<i64>().ok()).unwrap_or(0);
    let queue = || world.get::<Queue<i64>>(name);
    let sender = || world.get::<mpsc::Sender<i64>>(&format!("{name} send"));
    match words[0] {
        "put_nowait" => done(queue().try_put(number).map_err(Error::from)),
        "get_nowait" => Some(queue().try_get().map(|item| item.to_string())),
        "task_done" => done(queue().task_done()),
        "qsize" => Some(Ok(queue().len().to_string())),
        "shutdown" => done(queue().shut_down(false)),
        "shutdown_now" => done(queue().shut_down(true)),
        "close_sender" => {
            sender().close();
            done(Ok(()))
        }
        "close_receiver" => {
            world.get::<Receiving>(name).borrow_mut().close();
            done(Ok(()))
        }
        "try_send" => done(sender().try_send(number).map_err(Error::from)),
        "try_receive" => {
            let received = world.get::<Receiving>(name).borrow_mut().try_recv();
            Some(received.map(|item| item.to_string()))
        }
        _ => None,
    }
}

fn of_streams(of: &Rc<Interpreter>, words: &[&str], name: &str) -> Option<Result<String>> {
    let world = &of.world;
    match words[0] {
        "write" => {
            let line = words[2..].join(" ") + "\n";
            done(world.get::<Stream>(name).write(line.as_bytes()).map(drop))
        }
        "write_eof" => done(world.get::<Stream>(name).write_eof()),
        "close" => {
            world.get::<Stream>(name).close();
            done(Ok(()))
        }
        "close_server" => {
            world.get::<Listener>(name).close();
            done(Ok(()))
        }
        _ => None,
    }
}
