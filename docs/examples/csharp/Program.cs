// One program that holds the examples: dotnet run -- three_tasks
//
// SPDX-License-Identifier: MIT
using AsyncLoop;

string name = args.Length > 0 ? args[0] : "";
string[] rest = args.Length > 1 ? args[1..] : [];
Func<string[], Task>? main = name switch
{
    "as_completed" => AsCompleted.Run,
    "cancel_task" => CancelTask.Run,
    "echo_client" => EchoClient.Run,
    "echo_server" => EchoServer.Run,
    "gather_errors" => GatherErrors.Run,
    "queue_workers" => QueueWorkers.Run,
    "shield" => Shielded.Run,
    "side_by_side" => SideBySide.Run,
    "task_group" => Groups.Run,
    "three_tasks" => ThreeTasks.Run,
    "to_thread" => ToThread.Run,
    "wait_for" => WaitFor.Run,
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
