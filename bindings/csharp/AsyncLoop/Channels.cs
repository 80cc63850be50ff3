// Channels: an end to send, an end to receive. C keeps an item as a root, as in
// LoopQueue.cs. Both ends belong to the loop on which they were made.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

/// <summary>Makes channels on the running loop.</summary>
public static unsafe class LoopChannel
{
    /// <summary>A channel for so many items at a time; 0: any number.</summary>
    public static (ChannelSender<T> Sender, ChannelReceiver<T> Receiver) Create<T>(int capacity = 0)
    {
        IntPtr sender, receiver;
        Errors.Check(Native.aloop_channel_new(&sender, &receiver, capacity, Root.Free));
        return (new(sender), new(receiver));
    }

    /// <summary>A channel for one item.</summary>
    public static (ChannelSender<T> Sender, ChannelReceiver<T> Receiver) CreateOneShot<T>()
    {
        IntPtr sender, receiver;
        Errors.Check(Native.aloop_oneshot_new(&sender, &receiver, Root.Free));
        return (new(sender), new(receiver));
    }

    /// <summary>
    /// Every receiver gets every value sent after it subscribed; the last so many are kept.
    /// </summary>
    public static BroadcastSender<T> CreateBroadcast<T>(int capacity)
    {
        IntPtr sender;
        Errors.Check(Native.aloop_broadcast_new(&sender, capacity, Root.Free));
        return new(sender);
    }

    /// <summary>One value that changes.</summary>
    public static WatchSender<T> CreateWatch<T>(T value)
    {
        IntPtr sender, root = Root.Hold(value);
        long status = Native.aloop_watch_new(&sender, root, Root.Free);
        if (status < 0) Root.Drop(root);
        Errors.Check(status);
        return new(sender);
    }

    // Gives C an item, which it keeps unless it fails. Who is disposed of has thrown before.
    internal static long Give<T>(IntPtr to, T item, Func<IntPtr, IntPtr, long> give)
    {
        IntPtr root = Root.Hold(item);
        long status = give(to, root);
        if (status < 0) Root.Drop(root);
        return status;
    }

    // The value of an aloop_message, which is dropped.
    internal static T Read<T>(IntPtr message)
    {
        var value = (T)Root.Of<object>(Native.aloop_message_value(message))!;
        Native.aloop_unref(message);
        return value;
    }
}

// Apart, as nothing may be awaited in an unsafe context.
internal static class Received
{
    internal static async IAsyncEnumerator<T> All<T>(Func<CancellationToken, Task<T>> receive,
        CancellationToken token)
    {
        while (true)
        {
            T item;
            try
            {
                item = await receive(token);
            }
            catch (AloopException e) when (e.Status == Status.StopIteration)
            {
                yield break;
            }
            yield return item;
        }
    }
}

/// <summary>The sending end of a channel; disposing of it closes it.</summary>
public sealed class ChannelSender<T> : LoopObject
{
    internal ChannelSender(IntPtr owned) : base(owned) { }

    /// <summary>Waits while the channel is full. Status.BrokenPipe when nobody receives.</summary>
    public Task SendAsync(T item, CancellationToken token = default) =>
        Start(it => Native.aloop_sender_send(it, Root.Hold(item)), token);

    /// <summary>At once, or Status.QueueFull.</summary>
    public void TrySend(T item) =>
        Check(LoopChannel.Give(Raw, item, Native.aloop_sender_try_send));

    /// <summary>Receivers take what is left and then get to the end.</summary>
    public void Close() => Check(Native.aloop_sender_close(Raw));

    /// <summary>How many items are in the channel.</summary>
    public int Count =>
        (int)Check(Native.aloop_sender_statistic(Raw, Native.ALOOP_CHANNEL_STAT_ITEMS));
}

/// <summary>The receiving end of a channel; disposing of it closes it.</summary>
public sealed class ChannelReceiver<T> : LoopObject, IAsyncEnumerable<T>
{
    private static readonly Result<T> s_item = static (in Completion c) => (T)Root.Take(c.Value)!;

    internal ChannelReceiver(IntPtr owned) : base(owned) { }

    /// <summary>Waits while the channel is empty. Status.StopIteration at its end.</summary>
    public Task<T> ReceiveAsync(CancellationToken token = default) =>
        Operations.Start(Loop.Current, () => Native.aloop_receiver_receive(Raw), s_item, token);

    /// <summary>At once, or Status.QueueEmpty.</summary>
    public unsafe T TryReceive()
    {
        IntPtr root;
        Check(Native.aloop_receiver_try_receive(Raw, &root));
        return (T)Root.Take(root)!;
    }

    /// <summary>What is left is dropped, and senders fail.</summary>
    public void Close() => Check(Native.aloop_receiver_close(Raw));

    /// <summary>How many items are in the channel.</summary>
    public int Count =>
        (int)Check(Native.aloop_receiver_statistic(Raw, Native.ALOOP_CHANNEL_STAT_ITEMS));

    private protected override void Closing(IntPtr it) => Native.aloop_receiver_close(it);

    /// <summary>Receives up to the end.</summary>
    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken token = default) =>
        Received.All(ReceiveAsync, token);
}

/// <summary>Sends to all who subscribed.</summary>
public sealed class BroadcastSender<T> : LoopObject
{
    internal BroadcastSender(IntPtr owned) : base(owned) { }

    /// <summary>One more receiving end.</summary>
    public unsafe BroadcastReceiver<T> Subscribe()
    {
        IntPtr receiver;
        Check(Native.aloop_broadcast_sender_subscribe(Raw, &receiver));
        return new(receiver);
    }

    /// <summary>To how many ends it goes; 0 if there is none.</summary>
    public int Send(T item)
    {
        long status = LoopChannel.Give(Raw, item, Native.aloop_broadcast_sender_send);
        return status == Status.BrokenPipe ? 0 : (int)Check(status);
    }

    /// <summary>No more values come.</summary>
    public void Close() => Check(Native.aloop_broadcast_sender_close(Raw));

    /// <summary>How many ends receive.</summary>
    public int Receivers =>
        (int)Check(Native.aloop_broadcast_sender_statistic(
            Raw, Native.ALOOP_BROADCAST_STAT_RECEIVERS));
}

/// <summary>
/// Gets what a broadcast sends. Status.Lagged: it was too slow, and has missed values.
/// </summary>
public sealed class BroadcastReceiver<T> : LoopObject, IAsyncEnumerable<T>
{
    internal BroadcastReceiver(IntPtr owned) : base(owned) { }

    /// <summary>The next value. Status.StopIteration after the last one.</summary>
    public Task<T> ReceiveAsync(CancellationToken token = default) =>
        Operations.Start(Loop.Current, () => Native.aloop_broadcast_receiver_receive(Raw),
            static (in Completion c) => LoopChannel.Read<T>(c.Value), token);

    /// <summary>The same at once, or Status.QueueEmpty.</summary>
    public unsafe T TryReceive()
    {
        IntPtr message;
        Check(Native.aloop_broadcast_receiver_try_receive(Raw, &message));
        return LoopChannel.Read<T>(message);
    }

    /// <summary>How many values its last Status.Lagged was about.</summary>
    public long Missed =>
        Check(Native.aloop_broadcast_receiver_statistic(Raw, Native.ALOOP_BROADCAST_STAT_MISSED));

    /// <summary>Receives up to the end.</summary>
    public IAsyncEnumerator<T> GetAsyncEnumerator(CancellationToken token = default) =>
        Received.All(ReceiveAsync, token);
}

/// <summary>Holds a value that changes.</summary>
public sealed class WatchSender<T> : LoopObject
{
    internal WatchSender(IntPtr owned) : base(owned) { }

    /// <summary>One more receiving end, which has seen the value of now.</summary>
    public unsafe WatchReceiver<T> Subscribe()
    {
        IntPtr receiver;
        Check(Native.aloop_watch_sender_subscribe(Raw, &receiver));
        return new(receiver);
    }

    /// <summary>The value of now.</summary>
    public unsafe T Value
    {
        get
        {
            IntPtr message;
            Check(Native.aloop_watch_sender_get(Raw, &message));
            return LoopChannel.Read<T>(message);
        }
        set => Check(LoopChannel.Give(Raw, value, Native.aloop_watch_sender_replace));
    }

    /// <summary>Done when no receiver is left.</summary>
    public Task WaitClosedAsync(CancellationToken token = default) =>
        Start(Native.aloop_watch_sender_closed, token);

    /// <summary>The value does not change any more.</summary>
    public void Close() => Check(Native.aloop_watch_sender_close(Raw));

    /// <summary>How many ends receive.</summary>
    public int Receivers =>
        (int)Check(Native.aloop_watch_sender_statistic(Raw, Native.ALOOP_WATCH_STAT_RECEIVERS));
}

/// <summary>Is told when a value changes.</summary>
public sealed class WatchReceiver<T> : LoopObject
{
    internal WatchReceiver(IntPtr owned) : base(owned) { }

    /// <summary>
    /// Waits for a value that it has not seen. Status.StopIteration after the last one.
    /// </summary>
    public Task ChangedAsync(CancellationToken token = default) =>
        Start(Native.aloop_watch_receiver_changed, token);

    /// <summary>Whether there is a value that it has not seen.</summary>
    public bool HasChanged => Check(Native.aloop_watch_receiver_has_changed(Raw)) != 0;

    /// <summary>The value of now.</summary>
    public unsafe T Value
    {
        get
        {
            IntPtr message;
            Check(Native.aloop_watch_receiver_get(Raw, &message));
            return LoopChannel.Read<T>(message);
        }
    }
}
