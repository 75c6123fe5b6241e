package dev.mirror.snapshot.rules;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.store.Keys;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Derives the ids of requests that another implementation makes up, so that the two can be compared.
 *
 * <p>Reads {@code {"rules", "method", "target", "headers", "bodyBase64", "client", "port", "seconds", "prefix", "namespace"}}, one a line, and
 * answers each with a line.
 */
public final class DeriveIds {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<List<String>, IdRules> parsed = new HashMap<>();

    private DeriveIds() {}

    public static void main(String[] args) throws IOException {
        DeriveIds derive = new DeriveIds();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 16);
        BufferedWriter answers = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 16);
        String line;
        while ((line = lines.readLine()) != null) {
            answers.write(JSON.writeValueAsString(derive.answer(JSON.readTree(line))));
            answers.write('\n');
        }
        answers.flush();
    }

    private ObjectNode answer(JsonNode given) {
        IdRules rules = parsed.computeIfAbsent(IdVectorsTest.texts(given.get("rules")), IdRules::parse);
        Sent request = Sent.of(given);
        Derivation derived = rules.derive(request, given.get("seconds").longValue());
        String namespace = given.get("namespace").textValue();
        Keys keys = new Keys(given.get("prefix").textValue());
        Keys within = namespace == null ? keys : keys.within(namespace).orElse(null);
        InetSocketAddress peer = request.client().map(client -> new InetSocketAddress(client, given.get("port").intValue())).orElse(null);
        boolean readsBody = rules.readsBody(request.method(), request.target());

        ObjectNode answer = JSON.createObjectNode();
        answer.put("id", derived.id().map(RequestId::text).orElse(null));
        answer.put("counted", derived.counted());
        answer.put("key", within == null ? null : derived.id().map(within::key).orElse(null));
        answer.put("readsBody", readsBody);
        answer.put("toldIn", rules.toldIn(request.method(), request.target()).orElse(null));
        answer.put("request", Hash.request(request.method(), request.target()));
        answer.put("body", readsBody && request.body() != null ? Hash.of(request.body()) : null);
        answer.put("peer", peer == null ? null : Hash.peer(peer));
        return answer;
    }
}
