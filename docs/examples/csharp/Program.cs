// One program that holds the examples: dotnet run -- three_tasks
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

string name = args.Length > 0 ? args[0] : "";
string[] rest = args.Length > 1 ? args[1..] : [];
Func<string[], Task>? main = name switch
{
    "as_completed" => AsCompleted.Main,
    "cancel_task" => CancelTask.Main,
    "echo_client" => EchoClient.Main,
    "echo_server" => EchoServer.Main,
    "gather_errors" => GatherErrors.Main,
    "queue_workers" => QueueWorkers.Main,
    "shield" => Shielded.Main,
    "side_by_side" => SideBySide.Main,
    "task_group" => Groups.Main,
    "three_tasks" => ThreeTasks.Main,
    "to_thread" => ToThread.Main,
    "wait_for" => WaitFor.Main,
    _ => null,
};
if (main == null)
{
    Console.Error.WriteLine("usage: Examples NAME [ARGUMENT...]");
    return 2;
}

// Ctrl-C cancels the main task, which leaves in order.
using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    interrupted.Cancel();
};
try
{
    Loop.Run(() => main(rest), token: interrupted.Token);
    return 0;
}
catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
{
    return 0;
}
