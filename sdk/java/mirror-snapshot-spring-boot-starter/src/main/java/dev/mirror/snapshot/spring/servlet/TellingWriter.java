package dev.mirror.snapshot.spring.servlet;

import java.io.PrintWriter;

/** A response's text, before whose characters its head says how the look for the snapshot ended. */
final class TellingWriter extends PrintWriter {
    private final TellingResponse response;

    TellingWriter(PrintWriter out, TellingResponse response) {
        super(out);
        this.response = response;
    }

    @Override
    public void write(int c) {
        response.tell();
        super.write(c);
    }

    @Override
    public void write(char[] from, int start, int length) {
        response.tell();
        super.write(from, start, length);
    }

    @Override
    public void write(String text, int start, int length) {
        response.tell();
        super.write(text, start, length);
    }

    @Override
    public void println() {
        response.tell();
        super.println();
    }

    @Override
    public void flush() {
        response.tell();
        super.flush();
    }

    @Override
    public void close() {
        response.tell();
        super.close();
    }
}
