package dev.mirror.snapshot.benchmarks;

import dev.mirror.snapshot.SnapshotSource;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
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
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;

/**
 * The starter's filter around a handler that reads twice. {@code off} is the same request and handler without a filter, so
 * what a request pays is the difference; the request and response themselves are Spring's mocks.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class FilteredRequest {
    private static final byte[] BODY = "{\"userId\":42,\"productId\":\"p1\",\"quantity\":2}".getBytes(StandardCharsets.UTF_8);

    /** By which rule the request is named. */
    @Param({"off", RequestPath.HEADER, RequestPath.DIGEST})
    public String rule;

    private final RequestPath.Product product = new RequestPath.Product(17, "product 17", 828, 9_999);
    private ConfigurableApplicationContext context;
    private SnapshotSource source;
    private Filter filter;
    private long next;

    /** The store takes everything. */
    @Configuration(proxyBeanMethods = false)
    static class Store {
        @Bean
        Swallowing store() {
            return new Swallowing();
        }
    }

    @Setup
    public void start() {
        boolean off = rule.equals("off");
        List<String> settings = new ArrayList<>(List.of("--server.port=0", "--spring.main.banner-mode=off",
                "--mirror.snapshot.enabled=" + !off, "--mirror.snapshot.profile=production"));
        settings.add("--mirror.snapshot.rules[0]=" + (off ? "traceparent" : rule));
        context = new SpringApplicationBuilder(Application.class, Store.class).run(settings.toArray(String[]::new));
        source = context.getBean(SnapshotSource.class);
        filter = off ? (request, response, chain) -> chain.doFilter(request, response) : filter();
    }

    private Filter filter() {
        for (String name : context.getBeanNamesForType(FilterRegistrationBean.class)) {
            if (context.getBean(name) instanceof FilterRegistrationBean<?> bean
                    && bean.getFilter().getClass().getName().startsWith("dev.mirror.")) {
                return bean.getFilter();
            }
        }
        throw new IllegalStateException("the starter registers no filter");
    }

    @TearDown
    public void stop() {
        context.close();
    }

    @Benchmark
    public void request(Blackhole hole) throws Exception {
        MockHttpServletRequest request = new MockHttpServletRequest("POST", "/orders");
        request.addHeader("x-request-id", Long.toString(next++));
        request.setContentType("application/json");
        request.setContent(BODY);
        FilterChain handler = (given, answer) -> {
            hole.consume(source.load("product", 17, RequestPath.Product.class, () -> product));
            hole.consume(source.load("stock", "17", Integer.class, () -> 9_999));
        };
        filter.doFilter(request, new MockHttpServletResponse(), handler);
    }
}
