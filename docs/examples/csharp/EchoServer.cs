// A TCP server that sends back what it gets. Ctrl-C ends it.
//
//     echo_server [PORT]    8888 by default; 0: any free one
//
// SPDX-License-Identifier: MIT
using System.Text;
using AsyncLoop;

static class EchoServer
{
    // Runs as a task of its own for each connection.
    static async Task HandleEcho(LoopStream client)
    {
        byte[] data = await client.ReadBytesAsync(100);
        string message = Encoding.UTF8.GetString(data);
        Console.WriteLine($"Received '{message}' from {client.RemoteName}");
        Console.WriteLine($"Send: '{message}'");
        await client.WriteAsync(data);
        Console.WriteLine("Close the connection");
    }

    public static async Task Run(string[] args)
    {
        int port = args.Length > 0 ? int.Parse(args[0]) : 8888;
        await using LoopServer server = await LoopServer.StartAsync("127.0.0.1", port);
        Console.WriteLine($"Serving on 127.0.0.1:{server.Port}");
        await server.ServeAsync(HandleEcho);
    }
}
