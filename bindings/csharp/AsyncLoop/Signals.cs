// Signals come by way of .NET, whose runtime owns the handlers of several of them: one
// that the library put in their place would not keep the runtime from ending the process.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

public sealed partial class Loop
{
    /// <summary>
    /// Runs action on this loop when the process gets the signal, in place of its default effect,
    /// until the registration is disposed of. loop.add_signal_handler.
    /// </summary>
    public IDisposable AddSignalHandler(PosixSignal signal, Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        return PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            TryPost(static a => ((Action)a!)(), action);
        });
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
