// Sends a line to echo_server and prints what comes back.
//
//     echo_client [MESSAGE [PORT]]
//
// SPDX-License-Identifier: MIT
using System.Text;
using AsyncLoop;

static class EchoClient
{
    public static async Task Run(string[] args)
    {
        string message = args.Length > 0 ? args[0] : "Hello World!";
        int port = args.Length > 1 ? int.Parse(args[1]) : 8888;
        await using LoopStream stream = await LoopStream.ConnectAsync("127.0.0.1", port);
        Console.WriteLine($"Send: '{message}'");
        await stream.WriteTextAsync(message);
        byte[] data = await stream.ReadBytesAsync(100);
        Console.WriteLine($"Received: '{Encoding.UTF8.GetString(data)}'");
        Console.WriteLine("Close the connection");
    }
}
