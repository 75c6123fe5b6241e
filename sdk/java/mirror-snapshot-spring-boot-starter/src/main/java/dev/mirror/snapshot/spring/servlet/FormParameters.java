package dev.mirror.snapshot.spring.servlet;

import java.net.URLDecoder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.nio.charset.IllegalCharsetNameException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The parameters of a form in a request's body, as containers read them. */
final class FormParameters {
    /** As Tomcat's limit: what is behind is left out. */
    private static final int MOST = 10_000;

    private FormParameters() {}

    /**
     * @param encoding the request's character encoding; UTF-8 where it is null or none
     */
    static Map<String, List<String>> parse(byte[] body, String encoding) {
        Charset charset = charset(encoding);
        Map<String, List<String>> parameters = new LinkedHashMap<>();
        String text = new String(body, charset);
        int count = 0;
        for (int from = 0; from < text.length() && count < MOST; count++) {
            int end = text.indexOf('&', from);
            end = end < 0 ? text.length() : end;
            add(parameters, text.substring(from, end), charset);
            from = end + 1;
        }
        return parameters;
    }

    private static Charset charset(String encoding) {
        try {
            return encoding == null ? StandardCharsets.UTF_8 : Charset.forName(encoding);
        } catch (IllegalCharsetNameException | UnsupportedCharsetException none) {
            return StandardCharsets.UTF_8;
        }
    }

    private static void add(Map<String, List<String>> parameters, String pair, Charset charset) {
        int equals = pair.indexOf('=');
        if (pair.isEmpty() || equals == 0) {
            return;
        }
        try {
            String name = URLDecoder.decode(equals < 0 ? pair : pair.substring(0, equals), charset);
            String value = equals < 0 ? "" : URLDecoder.decode(pair.substring(equals + 1), charset);
            parameters.computeIfAbsent(name, first -> new ArrayList<>(1)).add(value);
        } catch (IllegalArgumentException notDecodable) {
            // Containers pass over it too.
        }
    }
}
