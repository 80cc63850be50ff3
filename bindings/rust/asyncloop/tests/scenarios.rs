//! The scenarios that C, Go, C# and Rust run with equal outcomes: `tests/scenarios/README.md`.

#[path = "scenarios/actions.rs"]
mod actions;
#[path = "scenarios/awaitables.rs"]
mod awaitables;
mod support;
#[path = "scenarios/world.rs"]
mod world;

use support::{nothing_is_left, virtual_runtime};
use world::{interpret, Scenario, World};

fn run(scenario: &Scenario) -> Vec<String> {
    let world = World::new(scenario.clone());
    let inside = world.clone();
    virtual_runtime().block_on(async move {
        asyncloop::debug::set_exception_handler(|_| ()).unwrap();
        let main = asyncloop::try_spawn(interpret(inside, "main".into()));
        let _ = main.await; // its trace tells
    });
    world.trace()
}

#[test]
fn all_scenarios_leave_the_trace_of_c() {
    let path = std::env::var("ASYNCLOOP_SCENARIOS").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/scenarios/scenarios.txt").into()
    });
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
    let only = std::env::var("SCENARIO").ok();
    let scenarios = Scenario::read(&text);
    assert!(scenarios.len() >= 100);
    let mut failures = String::new();
    for scenario in &scenarios {
        if only.as_ref().map_or(false, |only| *only != scenario.name) {
            continue;
        }
        let left = run(scenario);
        if left != scenario.expected {
            failures += &format!(
                "{}\n  expected\n    {}\n  left\n    {}\n",
                scenario.name,
                scenario.expected.join("\n    "),
                left.join("\n    ")
            );
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    nothing_is_left();
}
