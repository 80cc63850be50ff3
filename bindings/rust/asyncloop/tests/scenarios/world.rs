//! Reading scenarios, and what the tasks of one share.

use crate::{actions, awaitables};
use asyncloop::{scope, task_group, Code, Error, Instant, JoinHandle, Result, TaskGroup};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

#[derive(Clone, Default)]
pub struct Scenario {
    pub name: String,
    programs: Vec<(String, Vec<String>)>,
    pub expected: Vec<String>,
}

impl Scenario {
    pub fn read(text: &str) -> Vec<Scenario> {
        let mut all: Vec<Scenario> = Vec::new();
        let mut in_expected = false;
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix("scenario ") {
                all.push(Scenario { name: name.trim().into(), ..Scenario::default() });
                continue;
            }
            let scenario = all.last_mut().expect("a scenario");
            if let Some(name) = line.strip_prefix("task ") {
                scenario.programs.push((name.trim().into(), Vec::new()));
                in_expected = false;
            } else if line.trim() == "expect" && !line.starts_with(' ') {
                in_expected = true;
            } else if in_expected {
                scenario.expected.push(line.trim().into());
            } else {
                scenario.programs.last_mut().expect("a task").1.push(line.trim().into());
            }
        }
        all
    }

    fn program(&self, name: &str) -> Vec<String> {
        let found = self.programs.iter().find(|(of, _)| of == name);
        found.unwrap_or_else(|| panic!("no task {name}")).1.clone()
    }
}

struct Inner {
    scenario: Scenario,
    objects: RefCell<HashMap<String, Rc<dyn Any>>>,
    trace: RefCell<Vec<String>>,
    ended: Cell<bool>,
}

#[derive(Clone)]
pub struct World(Rc<Inner>);

impl World {
    pub fn new(scenario: Scenario) -> World {
        World(Rc::new(Inner {
            scenario,
            objects: RefCell::default(),
            trace: RefCell::default(),
            ended: Cell::new(false),
        }))
    }

    pub fn trace(&self) -> Vec<String> {
        self.0.trace.borrow().clone()
    }

    pub fn leave(&self, task: &str, text: &str) {
        if !self.0.ended.get() {
            let time = Instant::now().since_start().as_secs_f64();
            self.0.trace.borrow_mut().push(format!("{time:.1} {task} {text}"));
        }
    }

    pub fn keep<T: 'static>(&self, name: &str, it: T) {
        self.0.objects.borrow_mut().insert(name.into(), Rc::new(it));
    }

    pub fn find<T: 'static>(&self, name: &str) -> Option<Rc<T>> {
        self.0.objects.borrow().get(name).cloned()?.downcast().ok()
    }

    pub fn get<T: 'static>(&self, name: &str) -> Rc<T> {
        self.find(name).unwrap_or_else(|| panic!("{name}: there is none of that kind"))
    }

    /// A task by its name; it is started by the first who names it.
    pub fn task(&self, name: &str) -> Rc<JoinHandle<i64>> {
        let key = format!("task {name}");
        if let Some(task) = self.find(&key) {
            return task;
        }
        self.keep(&key, asyncloop::try_spawn(interpret(self.clone(), name.into())));
        self.get(&key)
    }

    pub fn tasks(&self, names: &[&str]) -> Vec<Rc<JoinHandle<i64>>> {
        names.iter().map(|name| self.task(name)).collect()
    }
}

pub fn show(result: &Result<String>) -> String {
    match result {
        Ok(text) => text.clone(),
        Err(why) => show_error(why),
    }
}

pub fn show_error(why: &Error) -> String {
    match why.code() {
        Code::Group => {
            let children: Vec<_> = why.children().iter().map(show_error).collect();
            format!("ALOOP_EGROUP [{}]", children.join(", "))
        }
        Code::User(number) => format!("error {number} ({})", why.message()),
        code => code.name().into(),
    }
}

/// A task of a scenario.
pub struct Interpreter {
    pub world: World,
    pub name: String,
    lines: Vec<String>,
    line: Cell<usize>,
    pub returned: Cell<Option<i64>>,
    pub group: RefCell<Option<TaskGroup>>,
}

pub async fn interpret(world: World, name: String) -> Result<i64> {
    let of = Rc::new(Interpreter {
        lines: world.0.scenario.program(&name),
        world,
        name,
        line: Cell::new(0),
        returned: Cell::new(None),
        group: RefCell::new(None),
    });
    let ended = run_lines(of.clone()).await;
    let result = ended.map(|()| of.returned.get().unwrap_or(0));
    let outcome = show(&result.as_ref().map(i64::to_string).map_err(Error::clone));
    of.world.leave(&of.name, &format!("= {outcome}"));
    if of.name == "main" {
        of.world.0.ended.set(true);
    }
    result
}

fn run_lines(of: Rc<Interpreter>) -> Pin<Box<dyn Future<Output = Result<()>>>> {
    Box::pin(async move {
        while of.returned.get().is_none() && of.line.get() < of.lines.len() {
            let line = of.lines[of.line.get()].clone();
            of.line.set(of.line.get() + 1);
            if line == "end" {
                break;
            }
            match line.strip_prefix("! ") {
                None => drop(execute(&of, &line).await?),
                Some(line) => {
                    let outcome = execute(&of, line).await;
                    of.world.leave(&of.name, &format!("{line} -> {}", show(&outcome)));
                }
            }
        }
        Ok(())
    })
}

async fn execute(of: &Rc<Interpreter>, line: &str) -> Result<String> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[0] {
        "log" => {
            of.world.leave(&of.name, line);
            Ok("0".into())
        }
        "timeout" => {
            let next = of.after_block();
            let ended = scope::timeout(seconds(words[1]), run_lines(of.clone())).await;
            of.line.set(next);
            ended.map(|()| "0".into())
        }
        "group" => {
            let next = of.after_block();
            let outer = of.group.take();
            let inside = of.clone();
            let ended = task_group(|group| {
                inside.group.replace(Some(group));
                run_lines(inside)
            });
            let ended = ended.await;
            of.group.replace(outer);
            of.line.set(next);
            ended.map(|()| "0".into())
        }
        _ => {
            if let Some(done) = actions::at_once(of, &words) {
                return done;
            }
            if let Some(outcome) = awaitables::in_steps(of, &words).await {
                return outcome;
            }
            awaitables::begin(of, &words).outcome(&of.world).await
        }
    }
}

impl Interpreter {
    // The line after the `end` of the block that begins at this one.
    fn after_block(&self) -> usize {
        let mut depth = 1;
        let mut line = self.line.get();
        while depth > 0 {
            let text = self.lines[line].trim_start_matches("! ");
            if text.starts_with("timeout ") || text == "group" {
                depth += 1;
            } else if text == "end" {
                depth -= 1;
            }
            line += 1;
        }
        line
    }
}

/// Negative times are zero: Rust has no others.
pub fn seconds(word: &str) -> Duration {
    Duration::from_secs_f64(word.parse::<f64>().expect("a time").max(0.0))
}
