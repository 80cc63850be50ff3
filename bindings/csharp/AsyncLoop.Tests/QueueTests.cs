// SPDX-License-Identifier: MIT
using Xunit;

namespace AsyncLoop.Tests;

public class QueueTests
{
    [Fact]
    public void ItemsOfAllOrders() => Support.Run(async () =>
    {
        using var fifo = new LoopQueue<string>();
        using var lifo = new LoopQueue<string>(0, QueueOrder.Lifo);
        using var priority = new LoopQueue<string>(0, QueueOrder.Priority, StringComparer.Ordinal);
        foreach (string item in new[] { "b", "a", "c" })
        {
            fifo.PutNoWait(item);
            lifo.PutNoWait(item);
            await priority.PutAsync(item);
        }
        async Task<string> All(LoopQueue<string> queue)
        {
            queue.ShutDown();
            string all = "";
            await foreach (string item in queue) all += item;
            return all;
        }
        Assert.Equal("bac", await All(fifo));
        Assert.Equal("cab", await All(lifo));
        Assert.Equal("abc", await All(priority));
    });

    [Fact]
    public void AFullQueueMakesWait() => Support.Run(async () =>
    {
        using var queue = new LoopQueue<int?>(1);
        LoopTask<Nothing> producer = Loop.Spawn(async () =>
        {
            for (int i = 0; i < 5; i++) await queue.PutAsync(i == 2 ? null : i);
            queue.ShutDown();
        });
        var got = new List<int?>();
        await foreach (int? item in queue)
        {
            got.Add(item);
            queue.TaskDone();
            await Loop.Sleep(1);
        }
        Assert.Equal([0, 1, null, 3, 4], got);
        await queue.JoinAsync();
        await producer;
        Assert.Equal(Status.QueueShutDown, Assert.Throws<AloopException>(() => queue.PutNoWait(1))
            .Status);
    });

    [Fact]
    public void NothingIsLostAndNothingLeaks() => Support.Run(async () =>
    {
        using var queue = new LoopQueue<string>(1);
        Assert.Equal(Status.QueueEmpty, Assert.Throws<AloopException>(() => queue.GetNoWait())
            .Status);
        queue.PutNoWait("first");
        Assert.Equal(Status.QueueFull,
            Assert.Throws<AloopException>(() => queue.PutNoWait("second")).Status);
        Assert.True(queue.IsFull);
        Assert.Equal("first", queue.GetNoWait());
        LoopTask<string> getter = Loop.Spawn(() => queue.GetAsync());
        await Loop.Sleep(1);
        queue.PutNoWait("third");
        getter.Cancel();
        try
        {
            Assert.Equal("third", await getter);
        }
        catch (OperationCanceledException)
        {
            Assert.Equal("third", queue.GetNoWait());
        }
        await Assert.ThrowsAsync<TimeoutException>(() =>
            Loop.WaitFor(queue.GetAsync(), TimeSpan.FromSeconds(1)));
        queue.PutNoWait("left behind");
        LoopTask<Nothing> putter = Loop.Spawn(() => queue.PutAsync("never taken"));
        await Loop.Sleep(1);
        putter.Cancel();
        Assert.Equal(1, queue.Count);
    });

    [Fact]
    public void WhatAComparerThrowsReachesTheCaller() => Support.Run(async () =>
    {
        using var queue = new LoopQueue<int>(0, QueueOrder.Priority,
            Comparer<int>.Create((_, _) => throw new FormatException()));
        queue.PutNoWait(1);
        Assert.Throws<FormatException>(() => queue.PutNoWait(2));
        await Assert.ThrowsAsync<FormatException>(() => queue.PutAsync(3));
    });

    [Fact]
    public void OtherThreadsFeedAQueueThroughAnInlet() => Support.Run(async () =>
    {
        using var queue = new LoopQueue<int>(2);
        using QueueInlet<int> inlet = queue.OpenInlet(2);
        var threads = Enumerable.Range(0, 3).Select(n => new Thread(() =>
        {
            for (int i = 0; i < 100; i++) inlet.Put(n * 100 + i);
        })).ToList();
        threads.ForEach(t => t.Start());
        var got = new List<int>();
        while (got.Count < 300) got.Add(await queue.GetAsync());
        Assert.Equal(Enumerable.Range(0, 300), got.Order());
        threads.ForEach(t => t.Join());
        inlet.PutNoWait(7);
        Assert.Equal(7, await queue.GetAsync());
        inlet.Close();
        Assert.Throws<ObjectDisposedException>(() => inlet.PutNoWait(8));
    }, new LoopOptions());

    [Fact]
    public void Channels() => Support.Run(async () =>
    {
        var (sender, receiver) = LoopChannel.Create<int>(1);
        _ = Loop.Spawn(async () =>
        {
            using (sender)
            {
                for (int i = 0; i < 4; i++) await sender.SendAsync(i);
            }
        });
        var got = new List<int>();
        await foreach (int item in receiver) got.Add(item);
        Assert.Equal([0, 1, 2, 3], got);
        receiver.Dispose();

        var (one, from) = LoopChannel.CreateOneShot<string>();
        one.TrySend("once");
        Assert.Equal("once", from.TryReceive());
        one.Dispose();
        from.Dispose();
    });

    [Fact]
    public void BroadcastAndWatch() => Support.Run(async () =>
    {
        using BroadcastSender<string> news = LoopChannel.CreateBroadcast<string>(2);
        Assert.Equal(0, news.Send("nobody hears"));
        using BroadcastReceiver<string> a = news.Subscribe(), b = news.Subscribe();
        Assert.Equal(2, news.Send("one"));
        Assert.Equal("one", await a.ReceiveAsync());
        news.Send("two");
        news.Send("three");
        Assert.Equal(Status.Lagged,
            (await Assert.ThrowsAsync<AloopException>(() => b.ReceiveAsync())).Status);
        Assert.Equal(1, b.Missed);
        Assert.Equal("two", await b.ReceiveAsync());

        using WatchSender<int> level = LoopChannel.CreateWatch(1);
        using WatchReceiver<int> watcher = level.Subscribe();
        LoopTask<Nothing> changed = Loop.Spawn(() => watcher.ChangedAsync());
        await Loop.Sleep(1);
        level.Value = 2;
        await changed;
        Assert.Equal(2, watcher.Value);
        Assert.Equal(2, level.Value);
    });

    // Also with a receive under way, which would have taken an item for nobody.
    [Fact]
    public void AReceiverThatIsDisposedOfIsClosed() => Support.Run(async () =>
    {
        var (sender, receiver) = LoopChannel.Create<string>();
        Task<string> receiving = receiver.ReceiveAsync();
        await Loop.Sleep(0);
        receiver.Dispose();
        receiver.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(
            () => Loop.WaitFor(receiving, Support.Hang));
        Assert.Equal(Status.BrokenPipe,
            Assert.Throws<AloopException>(() => sender.TrySend("lost")).Status);
        sender.Dispose();
    });
}
