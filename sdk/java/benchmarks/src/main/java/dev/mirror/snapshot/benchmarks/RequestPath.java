package dev.mirror.snapshot.benchmarks;

import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.rules.RequestFields;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/** Naming a request, recording two reads and handing the snapshot over: without a web server around it. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class RequestPath {
    static final String HEADER = "header:x-request-id";
    static final String DIGEST = "md5(\"{json:userId}:{json:productId}:{time:s}\")";
    private static final byte[] BODY = "{\"userId\":42,\"productId\":\"p1\",\"quantity\":2}".getBytes(StandardCharsets.UTF_8);

    /** What a service reads. */
    public record Product(long id, String name, int priceCents, int stock) {}

    private final InetSocketAddress peer = new InetSocketAddress("10.0.0.1", 4711);
    private final Product product = new Product(17, "product 17", 828, 9_999);
    private Snapshots snapshots;

    /** By which rule the request is named. */
    @Param({"off", HEADER, DIGEST})
    public String rule;

    private long next;

    @Setup
    public void begin() {
        snapshots = rule.equals("off") ? Snapshots.off()
                : Snapshots.builder(Profile.PRODUCTION).rules(List.of(rule)).store(new Swallowing(), "").build();
    }

    @TearDown
    public void end() {
        System.out.println("\nfiled " + snapshots.counts().of(Outcome.FILED) + ", dropped " + snapshots.counts().of(Outcome.DROPPED)
                + ", without id " + snapshots.counts().of(Outcome.NO_ID));
        snapshots.close();
    }

    /** A request that was read already: what is measured is what the SDK does with it. */
    private record Request(String id) implements RequestFields {
        @Override
        public String method() {
            return "POST";
        }

        @Override
        public String target() {
            return "/orders?from=cart";
        }

        @Override
        public String header(String name, int nth) {
            return nth == 0 && name.equals("x-request-id") ? id : null;
        }

        @Override
        public byte[] body() {
            return BODY;
        }
    }

    @Benchmark
    public void request(Blackhole hole) {
        RequestSnapshot request = snapshots.begin(new Request(Long.toString(next++)), peer);
        hole.consume(request.load("product", 17, Product.class, () -> product));
        hole.consume(request.load("stock", "17", Integer.class, () -> 9_999));
        request.finish();
    }
}
