// A task of the loop that runs a C# async method: asyncio's Task.
//
// To C it is a step task. A step runs what was posted to the task's context (the code
// after its awaits) and then suspends the task on a future, _wake, which the next post
// finishes. So all of its code runs in its own steps: timeouts, groups and cancellation
// of C hold for it. A cancellation arrives as the end of _wake, and goes on to the
// operations that the task has begun.
//
// Invariant: all members but AsTask and IsCompleted are the loop thread's alone. C's task
// holds the LoopTask (Root) until its step has ended; _task is a reference until then.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>
/// A task of the loop: an async method that runs beside others, can be cancelled, and has a
/// name. Await it for its result; cancelling who awaits it cancels it too (see
/// <see cref="Loop.Shield{T}(Task{T})"/>). For the loop's thread; other threads may have its
/// AsTask and IsCompleted.
/// </summary>
public abstract unsafe class LoopTask
{
    private static readonly AsyncLocal<LoopTask?> s_flow = new();
    private static readonly IntPtr s_step =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr, IntPtr*, long>)&OnStep;
    private static readonly IntPtr s_free =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, void>)&OnFree;

    private readonly TaskContext _context;
    private readonly Queue<(SendOrPostCallback, object?)> _inbox = new();
    private readonly ExecutionContext? _flow = ExecutionContext.Capture();
    private IntPtr _task, _wake;
    private Operation? _operations;
    private bool _begun, _ended;
    private CancellationTokenSource? _cancellation;
    private string _name = "";

    internal readonly Loop Home;

    // Cancelled while nothing was there to cancel: the next operation is. A task that ends
    // before that ends well, so that what it has got is not lost.
    internal bool CancelWaits;

    internal Block? Innermost;  // of the timeouts and groups that it is in

    private protected LoopTask(Loop home)
    {
        Home = home;
        _context = new TaskContext(this);
    }

    /// <summary>The task whose code this is; null outside of one.</summary>
    public static LoopTask? Current =>
        SynchronizationContext.Current is TaskContext here ? here.Task : s_flow.Value;

    /// <summary>
    /// Of the current task: cancelled when the task is asked to end, for what is no operation
    /// of the loop, such as <c>Task.Delay(1000, LoopTask.CurrentToken)</c>. After each request
    /// there is a new one.
    /// </summary>
    public static CancellationToken CurrentToken => Current?.TokenOfNow() ?? default;

    /// <summary>True when it has ended, however.</summary>
    public bool IsCompleted => Published;

    /// <summary>Its name: "Task-N" unless it was given one.</summary>
    public string Name
    {
        get => _task == IntPtr.Zero ? _name : NameInC();
        set
        {
            string name = Text.Shown(value);
            if (_task != IntPtr.Zero) Errors.Check(Native.aloop_task_set_name(_task, name));
            _name = name;
        }
    }

    /// <summary>How many requests to cancel it there were, less those taken back.</summary>
    public int Cancelling =>
        _task == IntPtr.Zero ? 0 : (int)Errors.Check(Native.aloop_task_cancelling(_task));

    /// <summary>
    /// Asks it to end: its innermost await throws <see cref="OperationCanceledException"/>. False
    /// if it has ended already. On the loop's thread.
    /// </summary>
    public bool Cancel(string? message = null) =>
        _task != IntPtr.Zero && Errors.Check(Native.aloop_task_cancel(_task, message)) != 0;

    /// <summary>Takes one request back; how many are left.</summary>
    public int Uncancel()
    {
        if (_task == IntPtr.Zero) return 0;
        var left = (int)Errors.Check(Native.aloop_task_uncancel(_task));
        if (left == 0) CancelWaits = false;
        return left;
    }

    // A block was left: with the last request taken back, what it has not reached is void.
    internal void Settle()
    {
        if (Cancelling == 0) CancelWaits = false;
    }

    /// <summary>The task as a plain one. Awaiting that does not pass cancellation on.</summary>
    public Task AsTask() => Plain();

    /// <summary>Makes the task awaitable.</summary>
    public TaskAwaiter GetAwaiter() => Join().GetAwaiter();

    /// <summary>Awaits its end; who is cancelled while awaiting that cancels the task.</summary>
    public Task JoinAsync() => Join();

    private protected abstract bool Published { get; }
    private protected abstract Task Plain();
    private protected abstract Task Join();
    private protected abstract Task RunBody();
    private protected abstract Exception? Failure { get; }
    private protected abstract bool BodyDone { get; }
    private protected abstract void Publish(bool cancelled);

    internal IntPtr Raw => _task;

    // A reference to C's task, or to a future that ended as it did.
    internal IntPtr Future()
    {
        if (_task != IntPtr.Zero) return Native.aloop_ref(_task);
        return Home.FinishedFuture(Plain());
    }

    internal void Start(string? name, IntPtr group)
    {
        IntPtr options = Errors.CheckPointer(Native.aloop_task_options_new());
        IntPtr root = Root.Hold(this);
        Native.aloop_task_options_set_step(options, s_step, root, s_free);
        if (name != null) Native.aloop_task_options_set_name(options, Text.Shown(name));
        IntPtr task = group == IntPtr.Zero
            ? Native.aloop_task_new(Home.Raw, options)
            : Native.aloop_task_group_create_task_ex(group, options);
        Native.aloop_unref(options);
        if (task == IntPtr.Zero) throw new OutOfMemoryException();
        if (_begun)  // eagerly: its step has taken a reference, or ended it
        {
            Native.aloop_unref(task);
            return;
        }
        if (_ended)  // it failed at once, and the root went with the options
        {
            long code = Native.aloop_future_result(task, null);
            Native.aloop_unref(task);
            throw Errors.ToException(code < 0 ? code : Status.ShutDown, IntPtr.Zero);
        }
        _task = task;
    }

    // The code after an await, from any thread.
    internal void Post(SendOrPostCallback d, object? state)
    {
        if (!Home.IsHere)
        {
            Home.PostIn(_context, static all =>
            {
                var (self, d, state) = ((LoopTask, SendOrPostCallback, object?))all!;
                if (self.Home.IsHere) self.Post(d, state);
                else d(state);
            }, (this, d, state));
            return;
        }
        if (_ended)
        {
            Home.PostIn(_context, d, state);
            return;
        }
        _inbox.Enqueue((d, state));
        if (_wake == IntPtr.Zero) return;
        IntPtr wake = _wake;
        _wake = IntPtr.Zero;
        Native.aloop_future_set_result(wake, 0, IntPtr.Zero, IntPtr.Zero);
    }

    internal void Add(Operation operation)
    {
        operation.Previous = null;
        operation.Next = _operations;
        if (_operations != null) _operations.Previous = operation;
        _operations = operation;
    }

    internal void Remove(Operation operation)
    {
        if (operation.Previous != null) operation.Previous.Next = operation.Next;
        else if (_operations == operation) _operations = operation.Next;
        if (operation.Next != null) operation.Next.Previous = operation.Previous;
        operation.Previous = operation.Next = null;
    }

    private string NameInC() => NameOf(_task);

    internal static string NameOf(IntPtr task) =>
        Text.Of((buffer, size) => Native.aloop_task_get_name(task, buffer, size));

    private CancellationToken TokenOfNow()
    {
        if (CancelWaits)
        {
            CancelWaits = false;  // it has reached somebody
            return new CancellationToken(true);
        }
        return (_cancellation ??= new CancellationTokenSource()).Token;
    }

    private long Step(IntPtr task)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(_context);
        try
        {
            _wake = IntPtr.Zero;
            if (!_begun)
            {
                if (_task == IntPtr.Zero) _task = Native.aloop_ref(task);
                Begin();
            }
            else
            {
                if (Native.aloop_awaited(task, null) == Status.Canceled) PassCancellationOn();
                for (int n = _inbox.Count; n > 0; n--)
                {
                    var (d, state) = _inbox.Dequeue();
                    d(state);
                }
            }
        }
        catch (Exception e)
        {
            Home.Report(e);
        }
        // Within the context, so that who awaits the end elsewhere does not go on here.
        long status = BodyDone ? End() : Suspend(task);
        SynchronizationContext.SetSynchronizationContext(before);
        return status;
    }

    private void Begin()
    {
        _begun = true;
        if (_flow == null)
        {
            RunBody();
            return;
        }
        ExecutionContext.Run(_flow, static self =>
        {
            var task = (LoopTask)self!;
            s_flow.Value = task;
            task.RunBody();
        }, this);
    }

    private long Suspend(IntPtr task)
    {
        if (_inbox.Count > 0) return Native.aloop_suspend(task, Native.aloop_sleep(0));
        IntPtr wake = Native.aloop_loop_create_future(Home.Raw);
        if (wake == IntPtr.Zero) return Native.aloop_suspend(task, Native.aloop_sleep(0));
        _wake = wake;
        return Native.aloop_suspend(task, wake);
    }

    private long End()
    {
        Exception? failure = Failure;
        Finished(failure is OperationCanceledException);
        return failure == null ? 0 : Errors.Raise(failure);
    }

    private void PassCancellationOn()
    {
        CancellationTokenSource? cancellation = _cancellation;
        _cancellation = null;
        bool reached = false;
        for (Operation? o = _operations; o != null;)
        {
            Operation? next = o.Next;
            reached |= o.Cancel();
            o = next;
        }
        int posted = _inbox.Count;
        cancellation?.Cancel();
        // Nor has the token ended what is awaited, as far as can be seen.
        if (!reached && _inbox.Count == posted) CancelWaits = true;
    }

    private void Finished(bool cancelled)
    {
        if (_ended) return;
        _ended = true;
        if (_task != IntPtr.Zero)
        {
            _name = NameInC();
            Native.aloop_unref(_task);
            _task = IntPtr.Zero;
        }
        Home.Ended(this);
        Publish(cancelled);
        while (_inbox.TryDequeue(out var left)) Home.PostIn(_context, left.Item1, left.Item2);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnStep(IntPtr task, IntPtr root, IntPtr* value) =>
        Root.Of<LoopTask>(root).Step(task);

    // After the end, or instead of the first step.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFree(IntPtr root)
    {
        var self = (LoopTask)Root.Take(root)!;
        try
        {
            self.Finished(true);
        }
        catch (Exception e)
        {
            self.Home.Report(e);
        }
    }
}

/// <summary>A task of the loop with a result.</summary>
public sealed class LoopTask<T> : LoopTask
{
    private readonly Func<Task<T>> _body;
    private readonly TaskCompletionSource<T> _source;
    private T? _result;
    private Exception? _failure;
    private bool _done, _claimed;

    internal LoopTask(Loop home, Func<Task<T>> body) : base(home)
    {
        _body = body;
        _source = new TaskCompletionSource<T>(this);
    }

    /// <summary>Makes the task awaitable.</summary>
    public new TaskAwaiter<T> GetAwaiter() => JoinAsync().GetAwaiter();

    /// <summary>The task as a plain one. Awaiting that does not pass cancellation on.</summary>
    public new Task<T> AsTask()
    {
        // Somebody looks at it, so that its failure is no news to the loop.
        if (!_claimed && Raw != IntPtr.Zero && Home.IsHere)
        {
            _claimed = true;
            Home.Claim(Raw);
        }
        return _source.Task;
    }

    /// <summary>As <see cref="AsTask"/>.</summary>
    public static implicit operator Task<T>(LoopTask<T> task) => task.AsTask();

    /// <summary>Awaits its result; who is cancelled while awaiting that cancels the task.</summary>
    public new Task<T> JoinAsync()
    {
        if (_source.Task.IsCompleted || !Home.IsHere || Current == null) return AsTask();
        _claimed = true;
        Task<T> whole = _source.Task;
        return Operations.Start(Home, Future, (in Completion _) =>
            whole.GetAwaiter().GetResult(), default, failure =>
            {
                if (failure is OperationCanceledException) Cancel();  // also if it never began
                return failure;
            });
    }

    private protected override bool Published => _source.Task.IsCompleted;
    private protected override Task Plain() => AsTask();
    private protected override Task Join() => JoinAsync();
    private protected override Exception? Failure => _failure;
    private protected override bool BodyDone => _done;

    private protected override async Task RunBody()
    {
        try
        {
            _result = await _body();
        }
        catch (Exception e)
        {
            _failure = e;
        }
        _done = true;
    }

    private protected override void Publish(bool cancelled)
    {
        if (_failure is OperationCanceledException e) _source.TrySetCanceled(e.CancellationToken);
        else if (_failure != null) _source.TrySetException(_failure);
        else if (cancelled) _source.TrySetCanceled();
        else _source.TrySetResult(_result!);
        if (_source.Task.IsFaulted) _ =
            _source.Task.Exception;  // the loop reports it, not the collector
    }
}
