// Queues between the tasks of one loop. C keeps an item as a root (Handles.cs), and
// drops that of an item which nobody took.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>In which order items leave a queue.</summary>
public enum QueueOrder
{
    /// <summary>First in, first out.</summary>
    Fifo = Native.ALOOP_QUEUE_FIFO,
    /// <summary>Last in, first out.</summary>
    Lifo = Native.ALOOP_QUEUE_LIFO,
    /// <summary>The smallest first; equals in the order of arrival.</summary>
    Priority = Native.ALOOP_QUEUE_PRIORITY,
}

/// <summary>A queue. asyncio.Queue, LifoQueue, PriorityQueue.</summary>
public sealed class LoopQueue<T> : LoopObject, IAsyncEnumerable<T>
{
    private readonly ItemComparer? _comparer;

    /// <summary>For so many items; 0: any number.</summary>
    public LoopQueue(int maxSize = 0, QueueOrder order = QueueOrder.Fifo,
        IComparer<T>? comparer = null)
        : this(maxSize, order, order == QueueOrder.Priority ? ItemComparer.Of(comparer) : null) { }

    private LoopQueue(int maxSize, QueueOrder order, ItemComparer? comparer)
        : base(New(maxSize, order, comparer)) => _comparer = comparer;

    private static unsafe IntPtr New(int maxSize, QueueOrder order, ItemComparer? comparer)
    {
        using var options = new AloopHandle(Errors.CheckPointer(Native.aloop_queue_options_new()));
        Errors.Check(Native.aloop_queue_options_set_maxsize(options.Raw, maxSize));
        Errors.Check(Native.aloop_queue_options_set_kind(options.Raw, (int)order));
        Errors.Check(Native.aloop_queue_options_set_item_free(options.Raw, Root.Free));
        if (comparer != null)
        {
            Errors.Check(Native.aloop_queue_options_set_compare(options.Raw, ItemComparer.Function,
                Root.Hold(comparer), Root.Free));
        }
        IntPtr it;
        Errors.Check(Native.aloop_queue_new(&it, options.Raw));
        return it;
    }

    /// <summary>Waits while the queue is full. Status.QueueShutDown.</summary>
    public Task PutAsync(T item, CancellationToken token = default) =>
        Operations.Start(Loop.Current, () => Native.aloop_queue_put(Raw, Root.Hold(item)), token,
            Failure);

    private Exception? Failure(Exception? failure)
    {
        if (failure == null) _comparer?.ThrowFailure();
        return failure;
    }

    /// <summary>At once, or Status.QueueFull, Status.QueueShutDown.</summary>
    public void PutNoWait(T item)
    {
        Check(LoopChannel.Give(Raw, item, Native.aloop_queue_put_nowait));
        _comparer?.ThrowFailure();
    }

    /// <summary>
    /// Waits while the queue is empty. Status.QueueShutDown once it is shut down and empty.
    /// </summary>
    public Task<T> GetAsync(CancellationToken token = default) =>
        Operations.Start(Loop.Current, () => Native.aloop_queue_get(Raw), s_item, token, Failure);

    private static readonly Result<T> s_item = static (in Completion c) => (T)Root.Take(c.Value)!;

    /// <summary>At once, or Status.QueueEmpty, Status.QueueShutDown.</summary>
    public unsafe T GetNoWait()
    {
        IntPtr root;
        Check(Native.aloop_queue_get_nowait(Raw, &root));
        var item = (T)Root.Take(root)!;
        _comparer?.ThrowFailure();
        return item;
    }

    /// <summary>Waits until every item that was put is done with.</summary>
    public Task JoinAsync(CancellationToken token = default) =>
        Start(Native.aloop_queue_join, token);

    /// <summary>An item is done with.</summary>
    public void TaskDone() => Check(Native.aloop_queue_task_done(Raw));

    /// <summary>How many items are in it.</summary>
    public int Count => (int)Check(Native.aloop_queue_qsize(Raw));

    /// <summary>Whether it holds as many as it can.</summary>
    public bool IsFull => Check(Native.aloop_queue_full(Raw)) != 0;

    /// <summary>How many items were put and are not done with.</summary>
    public int Unfinished =>
        (int)Check(Native.aloop_queue_statistic(Raw, Native.ALOOP_QUEUE_STAT_UNFINISHED));

    /// <summary>
    /// No more items go in; who waits to put fails. immediate: those that are left go too.
    /// </summary>
    public void ShutDown(bool immediate = false) =>
        Check(Native.aloop_queue_shutdown(Raw, immediate ? 1 : 0));

    /// <summary>
    /// Makes an inlet, through which other threads put items in; it holds so many at most.
    /// </summary>
    public unsafe QueueInlet<T> OpenInlet(int capacity)
    {
        IntPtr inlet;
        Check(Native.aloop_inlet_new(&inlet, Raw, capacity));
        return new QueueInlet<T>(inlet);
    }

    /// <summary>Takes items until the queue is shut down and empty.</summary>
    public async IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken token = default)
    {
        while (true)
        {
            T item;
            try
            {
                item = await GetAsync(token);
            }
            catch (AloopException e) when (e.Status == Status.QueueShutDown)
            {
                yield break;
            }
            yield return item;
        }
    }
}

/// <summary>
/// Where other threads put items into a queue; disposing of it closes it. Any thread.
/// </summary>
public sealed class QueueInlet<T> : LoopObject
{
    internal QueueInlet(IntPtr owned) : base(owned) { }

    /// <summary>
    /// Blocks while it is full, but never the loop: Status.WrongThread. TimeoutException.
    /// </summary>
    public void Put(T item, TimeSpan? timeout = null)
    {
        double seconds = timeout is TimeSpan t ? Loop.Seconds(t, -1) : -1;
        Check(LoopChannel.Give(Raw, item,
            (inlet, root) => Native.aloop_inlet_put(inlet, root, seconds)));
    }

    /// <summary>At once, or Status.QueueFull.</summary>
    public void PutNoWait(T item) =>
        Check(LoopChannel.Give(Raw, item, Native.aloop_inlet_put_nowait));

    /// <summary>Takes no more; what it holds is still put.</summary>
    public void Close() => Check(Native.aloop_inlet_close(Raw));

    /// <summary>How many items it holds.</summary>
    public int Count =>
        (int)Check(Native.aloop_inlet_statistic(Raw, Native.ALOOP_INLET_STAT_ITEMS));
}

// The order of a priority queue. What a comparer throws cannot pass through C: it
// waits here for the operation in which it happened.
internal abstract unsafe class ItemComparer
{
    internal static readonly IntPtr Function =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr, IntPtr, long>)&OnCompare;

    private Exception? _failure;

    internal static ItemComparer Of<T>(IComparer<T>? comparer) =>
        new Typed<T>(comparer ?? Comparer<T>.Default);

    internal void ThrowFailure()
    {
        Exception? failure = _failure;
        _failure = null;
        if (failure != null) ExceptionDispatchInfo.Capture(failure).Throw();
    }

    protected abstract int Compare(object? a, object? b);

    private sealed class Typed<T>(IComparer<T> comparer) : ItemComparer
    {
        protected override int Compare(object? a, object? b) => comparer.Compare((T)a!, (T)b!);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnCompare(IntPtr a, IntPtr b, IntPtr data)
    {
        var self = Root.Of<ItemComparer>(data);
        try
        {
            return self.Compare(GCHandle.FromIntPtr(a).Target, GCHandle.FromIntPtr(b).Target);
        }
        catch (Exception e)
        {
            self._failure = e;
            return 0;
        }
    }
}
