package dev.mirror.snapshot.spring.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import java.io.IOException;

/** A response's body, before whose bytes its head says how the look for the snapshot ended. */
final class TellingStream extends ServletOutputStream {
    private final ServletOutputStream out;
    private final TellingResponse response;

    TellingStream(ServletOutputStream out, TellingResponse response) {
        this.out = out;
        this.response = response;
    }

    @Override
    public void write(int b) throws IOException {
        response.tell();
        out.write(b);
    }

    @Override
    public void write(byte[] from, int start, int length) throws IOException {
        response.tell();
        out.write(from, start, length);
    }

    @Override
    public void flush() throws IOException {
        response.tell();
        out.flush();
    }

    @Override
    public void close() throws IOException {
        response.tell();
        out.close();
    }

    @Override
    public boolean isReady() {
        return out.isReady();
    }

    @Override
    public void setWriteListener(WriteListener listener) {
        out.setWriteListener(listener);
    }
}
