// Where the code after an await runs: in its task (TaskContext), or as a callback of the
// loop (LoopContext). Both on the loop's thread.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

internal sealed class LoopContext(Loop home) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => home.PostIn(this, d, state);

    public override void Send(SendOrPostCallback d, object? state) => home.SendIn(this, d, state);

    public override SynchronizationContext CreateCopy() => this;
}

internal sealed class TaskContext(LoopTask task) : SynchronizationContext
{
    internal LoopTask Task => task;

    public override void Post(SendOrPostCallback d, object? state) => task.Post(d, state);

    public override void Send(SendOrPostCallback d, object? state) =>
        task.Home.SendIn(this, d, state);

    public override SynchronizationContext CreateCopy() => this;
}

/// <summary>Runs Task Parallel Library tasks as callbacks of the loop.</summary>
internal sealed class LoopScheduler(Loop home) : TaskScheduler
{
    protected override void QueueTask(Task task)
    {
        if (!home.TryPost(state => TryExecuteTask((Task)state!), task))
        {
            throw new ObjectDisposedException(nameof(Loop));
        }
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        home.IsHere && TryExecuteTask(task);

    protected override IEnumerable<Task>? GetScheduledTasks() => null;

    public override int MaximumConcurrencyLevel => 1;
}
