package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.spring.web.Refusal;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Answers with a refusal in place of whatever was written so far. */
final class RefusalWriter {
    private RefusalWriter() {}

    /** False where the head is on its way already. */
    static boolean write(Refusal refusal, HttpServletResponse response) throws IOException {
        if (response.isCommitted()) {
            return false;
        }
        response.reset();
        byte[] text = refusal.text().getBytes(StandardCharsets.UTF_8);
        response.setStatus(Refusal.STATUS);
        response.setHeader(Headers.SNAPSHOT, refusal.state().text());
        response.setContentType(Refusal.TYPE);
        response.setContentLength(text.length);
        response.getOutputStream().write(text);
        return true;
    }
}
