package dev.mirror.snapshot.store;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;

/** Takes one command after the other, and hangs up instead of an answer to a SET: it cannot be told whether that was done. */
final class CuttingServer implements AutoCloseable {
    private final ServerSocket listener;
    private final AtomicInteger sets = new AtomicInteger();

    CuttingServer() throws IOException {
        listener = new ServerSocket(0, 50, InetAddress.getByName(RedisServer.HOST));
        Thread accepting = new Thread(this::accept, "cutting-server");
        accepting.setDaemon(true);
        accepting.start();
    }

    String url() {
        return "redis://" + RedisServer.HOST + ":" + listener.getLocalPort();
    }

    /** How many SETs reached it. */
    int sets() {
        return sets.get();
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket socket = listener.accept();
                Thread serving = new Thread(() -> serve(socket), "cutting-server-connection");
                serving.setDaemon(true);
                serving.start();
            } catch (IOException closed) {
                return;
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            InputStream in = new BufferedInputStream(socket.getInputStream());
            for (String command; (command = command(in)) != null; ) {
                if (command.equals("SET")) {
                    sets.incrementAndGet();
                    return;
                }
                socket.getOutputStream().write((command.equals("PING") ? "+PONG\r\n" : "+OK\r\n").getBytes(StandardCharsets.US_ASCII));
            }
        } catch (IOException gone) {
            // So is the connection.
        }
    }

    /** The first word of the next command; null at the end. */
    private static String command(InputStream in) throws IOException {
        String count = line(in);
        if (count == null) {
            return null;
        }
        String first = null;
        for (int i = Integer.parseInt(count.substring(1)); i > 0; i--) {
            byte[] word = in.readNBytes(Integer.parseInt(line(in).substring(1)));
            line(in);
            first = first == null ? new String(word, StandardCharsets.US_ASCII) : first;
        }
        return first;
    }

    private static String line(InputStream in) throws IOException {
        var line = new StringBuilder();
        for (int c; (c = in.read()) != '\n'; ) {
            if (c < 0) {
                return null;
            }
            line.append((char) c);
        }
        return line.toString().trim();
    }
}
