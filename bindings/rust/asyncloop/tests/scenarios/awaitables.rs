//! The instructions that wait.

use crate::actions::{failure, Receiving};
use crate::world::{seconds, show, Interpreter, World};
use asyncloop::process::{Command, Stdio};
use asyncloop::sync::{
    Barrier, Condition, Event, Lock, LockGuard, Permit, ReadGuard, ReadWriteLock, Semaphore,
    WriteGuard,
};
use asyncloop::{
    as_completed, gather, gather_settled, mpsc, shield, sleep, to_thread, try_to_thread, wait,
    wait_for, Listener, Op, Promise, Queue, Result, ReturnWhen, Stream, Waited,
};
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::time::Duration;

/// Something to await, of each kind that there is.
pub enum Any {
    Unit(Op<()>),
    Number(Op<i64>),
    Place(Op<usize>),
    Bytes(Op<Vec<u8>>),
    List(Op<Vec<i64>>),
    Outcomes(Op<Vec<Result<i64>>>),
    Waited(Op<Waited>, Vec<String>),
    Lock(Op<LockGuard>),
    Permit(Op<Permit>),
    Condition(Op<LockGuard>, String),
    Read(Op<ReadGuard>),
    Write(Op<WriteGuard>),
}

macro_rules! each {
    ($any:expr, $op:ident => $made:expr) => {
        match $any {
            Any::Unit($op) => Any::Unit($made),
            Any::Number($op) => Any::Number($made),
            Any::Place($op) => Any::Place($made),
            Any::Bytes($op) => Any::Bytes($made),
            Any::List($op) => Any::List($made),
            Any::Outcomes($op) => Any::Outcomes($made),
            Any::Waited($op, names) => Any::Waited($made, names),
            Any::Lock($op) => Any::Lock($made),
            Any::Permit($op) => Any::Permit($made),
            Any::Condition($op, guard) => Any::Condition($made, guard),
            Any::Read($op) => Any::Read($made),
            Any::Write($op) => Any::Write($made),
        }
    };
}

impl Any {
    fn limited(self, limit: Duration) -> Any {
        each!(self, op => wait_for(limit, op))
    }

    fn shielded(self) -> Any {
        each!(self, op => shield(op))
    }

    pub async fn outcome(self, world: &World) -> Result<String> {
        let zero = || "0".to_string();
        match self {
            Any::Unit(op) => op.await.map(|()| zero()),
            Any::Number(op) => op.await.map(|n| n.to_string()),
            Any::Place(op) => op.await.map(|n| n.to_string()),
            Any::Bytes(op) => op.await.map(|bytes| quoted(&bytes)),
            Any::List(op) => op.await.map(|all| list(all.into_iter().map(Ok))),
            Any::Outcomes(op) => op.await.map(|all| list(all.into_iter())),
            Any::Lock(op) => op.await.map(|guard| (guard.forget(), zero()).1),
            Any::Permit(op) => op.await.map(|guard| (guard.forget(), zero()).1),
            Any::Condition(op, name) => op.await.map(|guard| (world.keep(&name, guard), zero()).1),
            Any::Read(op) => op.await.map(|guard| (guard.forget(), zero()).1),
            Any::Write(op) => op.await.map(|guard| (guard.forget(), zero()).1),
            Any::Waited(op, names) => op.await.map(|waited| {
                let among = |places: &[usize]| {
                    places.iter().map(|i| format!(" {}", names[*i])).collect::<String>()
                };
                format!("done{} pending{}", among(&waited.done), among(&waited.pending))
            }),
        }
    }
}

fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    format!("\"{}\"", text.split('\n').next().unwrap_or(""))
}

fn list(outcomes: impl Iterator<Item = Result<i64>>) -> String {
    let shown: Vec<_> = outcomes.map(|one| show(&one.map(|n| n.to_string()))).collect();
    format!("[{}]", shown.join(", "))
}

pub fn begin(of: &Rc<Interpreter>, words: &[&str]) -> Any {
    let world = &of.world;
    let name = words.get(1).copied().unwrap_or("");
    let number = words.get(2).and_then(|word| word.parse::<i64>().ok()).unwrap_or(0);
    let stream = || world.get::<Stream>(name);
    match words[0] {
        "sleep" => Any::Unit(sleep(seconds(name))),
        "await" => Any::Number(world.task(name).join()),
        "future" => Any::Number(world.get::<Promise<i64>>(name).wait()),
        "wait_for" => begin(of, &words[2..]).limited(seconds(name)),
        "shield" => begin(of, &words[1..]).shielded(),
        "gather" => Any::List(gather(world.tasks(&words[1..]).iter().map(|task| &**task))),
        "gather_all" => {
            Any::Outcomes(gather_settled(world.tasks(&words[1..]).iter().map(|task| &**task)))
        }
        "wait_tasks" => wait_tasks(of, words),
        "get" => Any::Number(world.get::<Queue<i64>>(name).get()),
        "put" => Any::Unit(world.get::<Queue<i64>>(name).put(number)),
        "join" => Any::Unit(world.get::<Queue<i64>>(name).join()),
        "send" => Any::Unit(world.get::<mpsc::Sender<i64>>(&format!("{name} send")).send(number)),
        "receive" => Any::Number(world.get::<Receiving>(name).borrow_mut().recv()),
        "thread" => {
            let answer = name.parse().expect("a number");
            Any::Number(to_thread(move || answer))
        }
        "thread_error" => {
            let why = failure(&words[1..]);
            Any::Number(try_to_thread(move || Err(why)))
        }
        "drain" => Any::Unit(stream().drain()),
        "wait_closed" => Any::Unit(stream().wait_closed()),
        "readline" => Any::Bytes(stream().read_line()),
        "read_all" => Any::Bytes(stream().read_to_end()),
        "readexactly" => Any::Bytes(stream().read_exactly(number as usize)),
        _ => of_sync(of, words[0], name),
    }
}

fn of_sync(of: &Rc<Interpreter>, what: &str, name: &str) -> Any {
    let world = &of.world;
    let guard = guard_of(of, name);
    match what {
        "acquire" => {
            if let Some(semaphore) = world.find::<Semaphore>(name) {
                Any::Permit(semaphore.acquire())
            } else if let Some(condition) = world.find::<Condition>(name) {
                Any::Condition(condition.acquire(), guard)
            } else {
                Any::Lock(world.get::<Lock>(name).acquire())
            }
        }
        "acquire_read" => Any::Read(world.get::<ReadWriteLock>(name).acquire_read()),
        "acquire_write" => Any::Write(world.get::<ReadWriteLock>(name).acquire_write()),
        "wait" => match world.find::<Condition>(name) {
            Some(condition) => Any::Unit(condition.wait(&world.get::<LockGuard>(&guard))),
            None => Any::Unit(world.get::<Event>(name).wait()),
        },
        "arrive" => Any::Place(world.get::<Barrier>(name).wait()),
        "reset" => Any::Unit(world.get::<Barrier>(name).reset()),
        "abort" => Any::Unit(world.get::<Barrier>(name).abort()),
        _ => panic!("what is {what}?"),
    }
}

fn guard_of(of: &Interpreter, lock: &str) -> String {
    format!("{lock} of {}", of.name)
}

/// Who has no guard of the condition can wait with that of another lock at most.
async fn wait_with_another_guard(condition: &Condition) -> Result<String> {
    let guard = Lock::new()?.acquire().await?;
    condition.wait(&guard).await.map(|()| "0".into())
}

fn wait_tasks(of: &Rc<Interpreter>, words: &[&str]) -> Any {
    let when = match words[1] {
        "all" => ReturnWhen::AllCompleted,
        "first" => ReturnWhen::FirstCompleted,
        _ => ReturnWhen::FirstException,
    };
    let limit = (!words[2].starts_with('-')).then(|| seconds(words[2]));
    let tasks = of.world.tasks(&words[3..]);
    let names = words[3..].iter().map(|name| name.to_string()).collect();
    Any::Waited(wait(tasks.iter().map(|task| &**task), limit, when), names)
}

/// `None`: an operation does it (`begin`).
pub async fn in_steps(of: &Rc<Interpreter>, words: &[&str]) -> Option<Result<String>> {
    Some(match words[0] {
        "run" => run(&words[1..].join(" ")).await,
        "output" => output(&words[1..].join(" ")).await,
        "as_completed" => completed(of, &words[1..]).await,
        "server" => serve(of, words[1]).await,
        "connect" => {
            let port = of.world.get::<Listener>(words[2]).port();
            let connected = Stream::connect("127.0.0.1", port).await;
            connected.map(|stream| (of.world.keep(words[1], stream), "0".into()).1)
        }
        "wait" => {
            let condition = of.world.find::<Condition>(words[1])?;
            if of.world.find::<LockGuard>(&guard_of(of, words[1])).is_some() {
                return None;
            }
            wait_with_another_guard(&condition).await
        }
        _ => return None,
    })
}

async fn run(line: &str) -> Result<String> {
    let status = Command::shell(line).status().await?;
    let code = status.code().unwrap_or_else(|| 256 + status.signal().unwrap_or(0));
    Ok(code.to_string())
}

async fn output(line: &str) -> Result<String> {
    let mut command = Command::shell(line);
    command.stdout(Stdio::Piped);
    Ok(quoted(&command.spawn().await?.communicate(&[]).await?.stdout))
}

async fn completed(of: &Rc<Interpreter>, names: &[&str]) -> Result<String> {
    let tasks = of.world.tasks(names);
    let mut completed = as_completed(tasks.iter().map(|task| &**task), None)?;
    let mut outcomes = Vec::new();
    while let Some(outcome) = completed.next().await {
        outcomes.push(outcome);
    }
    Ok(list(outcomes.into_iter()))
}

async fn serve(of: &Rc<Interpreter>, name: &str) -> Result<String> {
    of.world.keep(name, Listener::bind("127.0.0.1", 0).await?);
    let server = of.world.get::<Listener>(name);
    asyncloop::spawn(async move {
        let echo = |client: Stream| async move {
            loop {
                let line = client.read_line().await?;
                if line.is_empty() {
                    return Ok(());
                }
                client.write(&line)?;
            }
        };
        server.serve(echo).await
    });
    Ok("0".into())
}
