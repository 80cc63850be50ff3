// A task of a scenario: its lines, one after the other.
// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace AsyncLoop.Tests;

/// <summary>Something to await, and how its outcome is written.</summary>
internal sealed record Awaitable(Task Task, Func<string> Show)
{
    internal static Awaitable Of<T>(Task<T> task) => new(task, () => $"{task.Result}");

    internal static Awaitable Of(Task task) => new(task, () => "0");

    internal static Awaitable OfBytes(Task<byte[]> task) => new(task, () => Quoted(task.Result));

    internal static string Quoted(byte[] bytes) =>
        $"\"{Encoding.UTF8.GetString(bytes).Split('\n')[0]}\"";
}

internal sealed partial class Interpreter(World world, Program program)
{
    private int _line;
    private int? _returned;
    private TaskGroup? _group;

    internal async Task<int> Run()
    {
        try
        {
            await RunLines();
            world.Leave(program.Name, $"= {_returned ?? 0}");
            return _returned ?? 0;
        }
        catch (Exception e)
        {
            world.Leave(program.Name, $"= {World.Show(e)}");
            throw;
        }
        finally
        {
            if (program.Name == "main") world.End();
        }
    }

    private async Task RunLines()
    {
        while (_returned == null && _line < program.Lines.Count)
        {
            string line = program.Lines[_line++];
            if (line == "end") return;
            bool shown = line.StartsWith("! ");
            if (shown) line = line[2..];
            string[] words = line.Split(' ');
            if (!shown)
            {
                await Execute(words);
                continue;
            }
            string outcome;
            try
            {
                outcome = await Execute(words);
            }
            catch (Exception e)
            {
                outcome = World.Show(e);
            }
            world.Leave(program.Name, $"{line} -> {outcome}");
        }
    }

    private async Task<string> Execute(string[] words)
    {
        switch (words[0])
        {
            case "timeout":
                await Block(() => Loop.Timeout(Seconds(words[1]), RunLines));
                return "0";
            case "group":
                TaskGroup? outer = _group;
                await Block(() => TaskGroup.Run(group =>
                {
                    _group = group;
                    return RunLines();
                }));
                _group = outer;
                return "0";
        }
        if (AtOnce(words) is string done) return done;
        if (await InSeveralSteps(words) is string outcome) return outcome;
        Awaitable awaitable = Begin(words);
        await awaitable.Task;
        return awaitable.Show();
    }

    private async Task Block(Func<Task> run)
    {
        int next = AfterBlock(_line);
        try
        {
            await run();
        }
        finally
        {
            _line = next;
        }
    }

    // The line after the `end` of the block whose lines begin at `line`.
    private int AfterBlock(int line)
    {
        for (int depth = 1; depth > 0; line++)
        {
            string text = program.Lines[line];
            if (text.StartsWith("! ")) text = text[2..];
            if (text.StartsWith("timeout ") || text == "group") depth++;
            if (text == "end") depth--;
        }
        return line;
    }

    private static TimeSpan Seconds(string word) =>
        TimeSpan.FromSeconds(double.Parse(word, CultureInfo.InvariantCulture));

    private Awaitable Begin(string[] words)
    {
        string name = words.Length > 1 ? words[1] : "";
        int number = words.Length > 2 && int.TryParse(words[2], out int n) ? n : 0;
        switch (words[0])
        {
            case "sleep": return Awaitable.Of(Loop.Sleep(Seconds(name)));
            case "await": return Awaitable.Of(world.TaskOf(name).JoinAsync());
            case "future": return Awaitable.Of(world.Get<LoopFuture<int>>(name).WaitAsync());
            case "wait_for":
                Awaitable limited = Begin(words[2..]);
                return limited with { Task = Loop.WaitFor(limited.Task, Seconds(name)) };
            case "shield":
                Awaitable shielded = Begin(words[1..]);
                return shielded with { Task = Loop.Shield(shielded.Task) };
            case "gather":
                Task<int[]> all = Loop.Gather(world.TasksOf(words[1..]).Select(t => t.AsTask()));
                return new Awaitable(all, () => $"[{string.Join(", ", all.Result)}]");
            case "gather_all":
                Task<Outcome<int>[]> outcomes =
                    Loop.GatherOutcomes(world.TasksOf(words[1..]).Select(t => t.AsTask()));
                return new Awaitable(outcomes, () => List(outcomes.Result));
            case "wait_tasks": return WaitTasks(words);
            case "get": return Awaitable.Of(world.Get<LoopQueue<int>>(name).GetAsync());
            case "put": return Awaitable.Of(world.Get<LoopQueue<int>>(name).PutAsync(number));
            case "join": return Awaitable.Of(world.Get<LoopQueue<int>>(name).JoinAsync());
            case "send": return Awaitable.Of(world.Get<ChannelSender<int>>(name + " send")
                .SendAsync(number));
            case "receive": return Awaitable.Of(world.Get<ChannelReceiver<int>>(name)
                .ReceiveAsync());
            case "thread":
                int answer = int.Parse(name);
                return Awaitable.Of(Loop.RunInThread(() => answer));
            case "thread_error":
                return Awaitable.Of(Loop.RunInThread(() => throw Failure(words)));
            case "drain": return Awaitable.Of(world.Get<LoopStream>(name).DrainAsync());
            case "wait_closed": return Awaitable.Of(world.Get<LoopStream>(name).WaitClosedAsync());
            case "readline": return Awaitable.OfBytes(world.Get<LoopStream>(name)
                .ReadLineBytesAsync());
            case "read_all": return Awaitable.OfBytes(world.Get<LoopStream>(name).ReadBytesAsync());
            case "readexactly":
                return Awaitable.OfBytes(world.Get<LoopStream>(name).ReadBytesExactlyAsync(number));
            default: return OfSync(words[0], name);
        }
    }

    private Awaitable OfSync(string what, string name) => what switch
    {
        "acquire" when world.Has<LoopSemaphore>(name) =>
            Awaitable.Of(world.Get<LoopSemaphore>(name).AcquireAsync()),
        "acquire" when world.Has<LoopCondition>(name) =>
            Awaitable.Of(world.Get<LoopCondition>(name).AcquireAsync()),
        "acquire" => Awaitable.Of(world.Get<LoopLock>(name).AcquireAsync()),
        "acquire_read" => Awaitable.Of(world.Get<LoopReadWriteLock>(name).AcquireReadAsync()),
        "acquire_write" => Awaitable.Of(world.Get<LoopReadWriteLock>(name).AcquireWriteAsync()),
        "wait" when world.Has<LoopCondition>(name) =>
            Awaitable.Of(world.Get<LoopCondition>(name).WaitAsync()),
        "wait" => Awaitable.Of(world.Get<LoopEvent>(name).WaitAsync()),
        "arrive" => Awaitable.Of(world.Get<LoopBarrier>(name).WaitAsync()),
        "reset" => Awaitable.Of(world.Get<LoopBarrier>(name).ResetAsync()),
        "abort" => Awaitable.Of(world.Get<LoopBarrier>(name).AbortAsync()),
        _ => throw new NotSupportedException($"what is {what}?"),
    };

    private Awaitable WaitTasks(string[] words)
    {
        ReturnWhen when = words[1] switch
        {
            "all" => ReturnWhen.AllCompleted,
            "first" => ReturnWhen.FirstCompleted,
            _ => ReturnWhen.FirstException,
        };
        TimeSpan timeout = Seconds(words[2]);
        Task<(Task[] Done, Task[] Pending)> task = Loop.Wait(
            world.TasksOf(words[3..]).Select(t => (Task)t.AsTask()),
            timeout < TimeSpan.Zero ? null : timeout, when);
        string Names(Task[] tasks) => string.Concat(tasks.Select(t => " " + world.NameOf(t)));
        return new Awaitable(task, () =>
            $"done{Names(task.Result.Done)} pending{Names(task.Result.Pending)}");
    }

    private static string List(IEnumerable<Outcome<int>> outcomes) => "[" + string.Join(", ",
        outcomes.Select(o => o.Succeeded ? $"{o.Value}" : World.Show(o.Error!))) + "]";

    private static AloopException Failure(string[] words) =>
        new(Status.User - int.Parse(words[1]), string.Join(' ', words[2..]));
}
