// The shared scenarios (tests/scenarios/README.md), as C# runs them: a task of a scenario
// is a LoopTask that interprets its lines.
// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;
using Xunit;

namespace AsyncLoop.Tests;

internal sealed record Program(string Name, List<string> Lines);

internal sealed class Scenario(string name)
{
    internal string Name => name;
    internal List<Program> Programs { get; } = [];
    internal List<string> Expected { get; } = [];

    internal static IEnumerable<Scenario> Read(string path)
    {
        Scenario? scenario = null;
        List<string>? to = null;
        foreach (string line in File.ReadLines(path))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0 || line[0] == '#') continue;
            if (line.StartsWith("scenario "))
            {
                if (scenario != null) yield return scenario;
                scenario = new Scenario(words[1]);
            }
            else if (line.StartsWith("task "))
            {
                scenario!.Programs.Add(new Program(words[1], to = []));
            }
            else if (line == "expect")
            {
                to = scenario!.Expected;
            }
            else
            {
                to!.Add(line.Trim());
            }
        }
        if (scenario != null) yield return scenario;
    }
}

/// <summary>What the tasks of a scenario share.</summary>
internal sealed class World(Scenario scenario)
{
    private readonly Dictionary<string, object> _objects = [];
    private bool _ended;

    internal List<string> Trace { get; } = [];

    internal T Get<T>(string name) => (T)_objects[name];

    internal void Keep(string name, object it) => _objects[name] = it;

    internal bool Has<T>(string name) => _objects.TryGetValue(name, out object? it) && it is T;

    internal void Leave(string task, string text)
    {
        if (!_ended) Trace.Add(string.Create(CultureInfo.InvariantCulture,
            $"{Support.Now:F1} {task} {text}"));
    }

    internal void End() => _ended = true;

    internal Program ProgramOf(string name) => scenario.Programs.First(p => p.Name == name);

    /// <summary>A task by its name; it is started by the first who names it.</summary>
    internal LoopTask<int> TaskOf(string name)
    {
        string key = "task " + name;
        if (!Has<LoopTask<int>>(key)) Keep(key,
            Loop.Spawn(new Interpreter(this, ProgramOf(name)).Run));
        return Get<LoopTask<int>>(key);
    }

    internal IEnumerable<LoopTask<int>> TasksOf(IEnumerable<string> names) =>
        names.Select(TaskOf).ToList();

    internal string NameOf(Task task) => _objects.First(
        o => o.Value is LoopTask<int> t && ReferenceEquals(t.AsTask(), task)).Key["task ".Length..];

    internal static string Show(Exception e)
    {
        if (e is AggregateException all)
        {
            return $"ALOOP_EGROUP [{string.Join(", ", all.InnerExceptions.Select(Show))}]";
        }
        long code = Status.Of(e);
        return code <= Status.User ? $"error {Status.User - code} ({e.Message})"
            : Status.Name(code);
    }
}

public class ScenarioTests
{
    [Fact]
    public void AllScenariosLeaveTheTraceOfC()
    {
        string path = Environment.GetEnvironmentVariable("ASYNCLOOP_SCENARIOS")!;
        int ran = 0;
        var failures = new StringBuilder();
        foreach (Scenario scenario in Scenario.Read(path))
        {
            List<string> trace = Run(scenario);
            if (!trace.SequenceEqual(scenario.Expected))
            {
                const string Next = "\n    ";
                failures.Append($"{scenario.Name}\n  expected{Next}")
                    .Append(string.Join(Next, scenario.Expected))
                    .Append($"\n  left{Next}{string.Join(Next, trace)}\n");
            }
            ran++;
        }
        Assert.True(failures.Length == 0, failures.ToString());
        Assert.True(ran >= 100);
        Support.NothingIsLeft();
    }

    private static List<string> Run(Scenario scenario)
    {
        var world = new World(scenario);
        try
        {
            Loop.Run(() =>
            {
                Loop.Current.ExceptionHandler = _ => { };
                return new Interpreter(world, scenario.Programs[0]).Run();
            }, Support.Virtual);
        }
        catch (Exception)
        {
            // Its trace tells.
        }
        return world.Trace;
    }
}
