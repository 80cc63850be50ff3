// The instructions of a scenario that are done at once, and those of several steps.
// SPDX-License-Identifier: MIT
namespace AsyncLoop.Tests;

internal sealed partial class Interpreter
{
    // null: no such instruction.
    private string? AtOnce(string[] words)
    {
        string name = words.Length > 1 ? words[1] : "";
        return OfTasks(words, name) ?? OfFutures(words, name) ?? NewSync(words, name)
            ?? OfSyncAtOnce(words, name)
            ?? OfStreams(words, name) ?? OfQueues(words, name);
    }

    private static string Done(Action action)
    {
        action();
        return "0";
    }

    private string? OfTasks(string[] words, string name)
    {
        switch (words[0])
        {
            case "log": return Done(() => world.Leave(program.Name, string.Join(' ', words)));
            case "spawn": return Done(() => world.TaskOf(name));
            case "start":
                return Done(() => world.Keep("task " + name,
                    _group!.Spawn(new Interpreter(world, world.ProgramOf(name)).Run)));
            case "cancel": return world.TaskOf(name).Cancel() ? "1" : "0";
            case "raise": throw Failure(words);
            case "raise_code": throw Errors.ToException(CodeNamed(name), IntPtr.Zero);
            case "return":
                _returned = int.Parse(name);
                return "0";
            case "later":
                return Done(() => Loop.Current.CallLater(Seconds(name),
                    () => world.Leave("timer", string.Join(' ', words[2..]))));
            default: return null;
        }
    }

    private static long CodeNamed(string name)
    {
        for (long code = 0; code > -10200; code--)
        {
            if (Status.Name(code) == name) return code;
        }
        throw new NotSupportedException($"no code is named {name}");
    }

    private string? OfFutures(string[] words, string name)
    {
        switch (words[0])
        {
            case "new_future": return Done(() => world.Keep(name, new LoopFuture<int>()));
            case "set_result": return Done(() =>
                world.Get<LoopFuture<int>>(name).SetResult(int.Parse(words[2])));
            case "set_error":
                return Done(() =>
                    world.Get<LoopFuture<int>>(name).SetException(Failure(words[1..])));
            case "cancel_future": return world.Get<LoopFuture<int>>(name).Cancel() ? "1" : "0";
            default: return null;
        }
    }

    private string? NewSync(string[] words, string name)
    {
        object? made = words[0] switch
        {
            "lock" => new LoopLock(),
            "rwlock" => new LoopReadWriteLock(),
            "event" => new LoopEvent(),
            "condition" => new LoopCondition(),
            "barrier" => new LoopBarrier(long.Parse(words[2])),
            "semaphore" => new LoopSemaphore(long.Parse(words[2])),
            "bounded" => new LoopSemaphore(long.Parse(words[2]), bounded: true),
            "queue" => new LoopQueue<int>(int.Parse(words[3]), words[2] switch
            {
                "lifo" => QueueOrder.Lifo,
                "priority" => QueueOrder.Priority,
                _ => QueueOrder.Fifo,
            }),
            _ => null,
        };
        return made == null ? null : Done(() => world.Keep(name, made));
    }

    private string? OfSyncAtOnce(string[] words, string name)
    {
        switch (words[0])
        {
            case "release" when world.Has<LoopSemaphore>(name):
                return Done(world.Get<LoopSemaphore>(name).Release);
            case "release" when world.Has<LoopCondition>(name):
                return Done(world.Get<LoopCondition>(name).Release);
            case "release": return Done(world.Get<LoopLock>(name).Release);
            case "locked":
                return (world.Has<LoopSemaphore>(name) ? world.Get<LoopSemaphore>(name).IsLocked
                    : world.Has<LoopCondition>(name) ? world.Get<LoopCondition>(name).IsLocked
                    : world.Get<LoopLock>(name).IsLocked) ? "1" : "0";
            case "release_read": return Done(world.Get<LoopReadWriteLock>(name).ReleaseRead);
            case "release_write": return Done(world.Get<LoopReadWriteLock>(name).ReleaseWrite);
            case "set": return Done(world.Get<LoopEvent>(name).Set);
            case "clear": return Done(world.Get<LoopEvent>(name).Clear);
            case "is_set": return world.Get<LoopEvent>(name).IsSet ? "1" : "0";
            case "notify": return Done(() =>
                world.Get<LoopCondition>(name).Notify(int.Parse(words[2])));
            case "notify_all": return Done(() => world.Get<LoopCondition>(name).NotifyAll());
            default: return null;
        }
    }

    private string? OfStreams(string[] words, string name) => words[0] switch
    {
        "write" => Done(() =>
            world.Get<LoopStream>(name).WriteNoWait(string.Join(' ', words[2..]) + "\n")),
        "write_eof" => Done(world.Get<LoopStream>(name).CompleteWriting),
        "close" => Done(world.Get<LoopStream>(name).StartClosing),
        "close_server" => Done(world.Get<LoopServer>(name).Close),
        _ => null,
    };

    private string? OfQueues(string[] words, string name)
    {
        int number = words.Length > 2 && int.TryParse(words[2], out int n) ? n : 0;
        switch (words[0])
        {
            case "put_nowait": return Done(() => world.Get<LoopQueue<int>>(name).PutNoWait(number));
            case "get_nowait": return $"{world.Get<LoopQueue<int>>(name).GetNoWait()}";
            case "task_done": return Done(world.Get<LoopQueue<int>>(name).TaskDone);
            case "qsize": return $"{world.Get<LoopQueue<int>>(name).Count}";
            case "shutdown": return Done(() => world.Get<LoopQueue<int>>(name).ShutDown());
            case "shutdown_now": return Done(() =>
                world.Get<LoopQueue<int>>(name).ShutDown(immediate: true));
            case "channel":
                return Done(() =>
                {
                    var (sender, receiver) = LoopChannel.Create<int>(number);
                    world.Keep(name + " send", sender);
                    world.Keep(name, receiver);
                });
            case "close_sender": return Done(world.Get<ChannelSender<int>>(name + " send").Close);
            case "close_receiver": return Done(world.Get<ChannelReceiver<int>>(name).Close);
            case "try_send": return Done(() =>
                world.Get<ChannelSender<int>>(name + " send").TrySend(number));
            case "try_receive": return $"{world.Get<ChannelReceiver<int>>(name).TryReceive()}";
            default: return null;
        }
    }

    // null: no such instruction.
    private async Task<string?> InSeveralSteps(string[] words)
    {
        switch (words[0])
        {
            case "run":
                using (LoopProcess child =
                    await LoopProcess.ShellAsync(string.Join(' ', words[1..])))
                {
                    int code = await child.WaitAsync();
                    return $"{(code < 0 ? 256 - code : code)}";
                }
            case "output":
                var options = new ProcessOptions { StandardOutput = Redirect.Pipe };
                using (LoopProcess child =
                    await LoopProcess.ShellAsync(string.Join(' ', words[1..]), options))
                {
                    return Awaitable.Quoted((await child.CommunicateAsync()).Output);
                }
            case "as_completed": return await AsCompleted(words);
            case "server":
                LoopServer server = await LoopServer.StartAsync("127.0.0.1", 0);
                world.Keep(words[1], server);
                world.Keep(words[1] + " port", server.Port);
                _ = Loop.Spawn(() => server.ServeAsync(Echo));
                return "0";
            case "connect":
                world.Keep(words[1],
                    await LoopStream.ConnectAsync("127.0.0.1", world.Get<int>(words[2] + " port")));
                return "0";
            default: return null;
        }
    }

    private async Task<string> AsCompleted(string[] words)
    {
        var outcomes = new List<Outcome<int>>();
        await foreach (Task<int> task in Loop.AsCompleted(world.TasksOf(words[1..])
            .Select(t => t.AsTask())))
        {
            outcomes.Add(task.IsCompletedSuccessfully
                ? new(task.Result, null)
                : new(0, task.IsCanceled ? new OperationCanceledException()
                    : task.Exception!.InnerException));
        }
        return List(outcomes);
    }

    private static async Task Echo(LoopStream client)
    {
        while (await client.ReadLineBytesAsync() is { Length: > 0 } line) client.WriteNoWait(line);
    }
}
