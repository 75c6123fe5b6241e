package dev.mirror.snapshot.spring.servlet;

import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A request whose body was read for a rule, and is given on as it came. */
final class RereadRequest extends HttpServletRequestWrapper {
    /** Containers read forms up to about here. */
    private static final int MOST_FORM = 2 << 20;

    private final Reading reading;

    /** How far a body was read, whichever dispatch of the request reads it. */
    static final class Reading {
        private final ReadBody body;
        private final RereadStream stream;
        private @Nullable BufferedReader reader;
        private boolean streamed;
        private @Nullable Map<String, String[]> parameters;

        Reading(HttpServletRequest request, ReadBody body) {
            this.body = body;
            this.stream = new RereadStream(request, body);
        }

        void entered() {
            stream.entered();
        }

        void left(boolean failed) {
            stream.left(failed);
        }
    }

    RereadRequest(HttpServletRequest request, Reading reading) {
        super(request);
        this.reading = reading;
    }

    @Override
    public ServletInputStream getInputStream() {
        if (reading.reader != null) {
            throw new IllegalStateException("getReader() was called for this request");
        }
        reading.streamed = true;
        return reading.stream;
    }

    @Override
    public BufferedReader getReader() throws IOException {
        if (reading.streamed) {
            throw new IllegalStateException("getInputStream() was called for this request");
        }
        if (reading.reader == null) {
            String encoding = getCharacterEncoding();
            String named = encoding == null ? StandardCharsets.ISO_8859_1.name() : encoding;
            reading.reader = new BufferedReader(new InputStreamReader(reading.stream, named));
        }
        return reading.reader;
    }

    @Override
    public @Nullable String getParameter(String name) {
        String[] values = parameters().get(name);
        return values == null ? null : values[0];
    }

    @Override
    public Map<String, String[]> getParameterMap() {
        return parameters();
    }

    @Override
    public Enumeration<String> getParameterNames() {
        return Collections.enumeration(parameters().keySet());
    }

    @Override
    public String @Nullable [] getParameterValues(String name) {
        String[] values = parameters().get(name);
        return values == null ? null : values.clone();
    }

    /** The query's, which the container reads, and behind them the body's, which it would have read. */
    private Map<String, String[]> parameters() {
        if (!isForm()) {
            return super.getParameterMap();
        }
        if (reading.parameters == null) {
            Map<String, String[]> all = new LinkedHashMap<>(super.getParameterMap());
            FormParameters.parse(form(), getCharacterEncoding()).forEach((name, values) -> all.merge(name,
                    values.toArray(String[]::new), RereadRequest::joined));
            reading.parameters = Collections.unmodifiableMap(all);
        }
        return reading.parameters;
    }

    private boolean isForm() {
        String type = getContentType();
        if (type == null || !getMethod().equals("POST")) {
            return false;
        }
        int end = type.indexOf(';');
        return (end < 0 ? type : type.substring(0, end)).trim().toLowerCase(Locale.ROOT)
                .equals("application/x-www-form-urlencoded");
    }

    /** Nothing where it is too long, cannot be read or is being read otherwise, as with a container. */
    private byte[] form() {
        if (reading.body.rest() == null) {
            return reading.body.failure() == null ? reading.body.bytes() : ReadBody.nothing();
        }
        if (reading.streamed || reading.reader != null) {
            return ReadBody.nothing();
        }
        try {
            byte[] form = reading.stream.readNBytes(MOST_FORM + 1);
            return form.length <= MOST_FORM ? form : ReadBody.nothing();
        } catch (IOException failed) {
            return ReadBody.nothing();
        }
    }

    private static String[] joined(String[] first, String[] second) {
        List<String> all = new ArrayList<>(Arrays.asList(first));
        all.addAll(Arrays.asList(second));
        return all.toArray(String[]::new);
    }
}
