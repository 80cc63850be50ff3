// Signals come by way of .NET, whose runtime owns the handlers of several of them: one
// that the library put in their place would not keep the runtime from ending the process.
// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

public sealed partial class Loop
{
    /// <summary>
    /// Runs action on this loop when the process gets the signal, in place of its default effect,
    /// until what it returns is disposed of, or the loop. loop.add_signal_handler.
    /// </summary>
    public IDisposable AddSignalHandler(PosixSignal signal, Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        ObjectDisposedException.ThrowIf(_closed, this);
        var handler = new SignalHandler(_signals);
        handler.Registration = PosixSignalRegistration.Create(signal, context =>
            context.Cancel = TryPost(static a => ((Action)a!)(), action));
        return handler;
    }

    // Until they are disposed of: a registration of .NET that nobody holds ends by itself.
    private readonly ConcurrentDictionary<SignalHandler, bool> _signals = new();

    private sealed class SignalHandler : IDisposable
    {
        private readonly ConcurrentDictionary<SignalHandler, bool> _all;

        internal PosixSignalRegistration? Registration { private get; set; }

        internal SignalHandler(ConcurrentDictionary<SignalHandler, bool> all)
        {
            _all = all;
            all[this] = true;
        }

        public void Dispose()
        {
            _all.TryRemove(this, out _);
            Registration?.Dispose();
        }
    }

    /// <summary>The signals that the process gets while they are awaited.</summary>
    public static async IAsyncEnumerable<PosixSignal> Signals(PosixSignal[] signals,
        [EnumeratorCancellation] CancellationToken token = default)
    {
        Loop loop = Current;
        var (sender, receiver) = LoopChannel.Create<PosixSignal>();
        bool ended = false;
        var registrations = Array.ConvertAll(signals, s => loop.AddSignalHandler(s, () =>
        {
            if (!ended) sender.TrySend(s);  // it may have come when the end did
        }));
        try
        {
            while (true) yield return await receiver.ReceiveAsync(token);
        }
        finally
        {
            ended = true;
            foreach (IDisposable registration in registrations) registration.Dispose();
            sender.Dispose();
            receiver.Dispose();
        }
    }
}
