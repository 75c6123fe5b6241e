package dev.mirror.snapshot.spring;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.io.DefaultResourceLoader;

/** A real service on a free port. */
public final class Service implements AutoCloseable {
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(30)).build();
    /** Moved between the lines of Spring Boot; of names that are not there nothing is left out. */
    private static final String NO_DATABASE = "spring.autoconfigure.exclude="
            + "org.springframework.boot.autoconfigure.jdbc.DataSourceAutoConfiguration,"
            + "org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration";

    /** Of all Tomcats: a later one makes the first one's folder again. */
    private static final TemporaryFolder TOMCAT = TemporaryFolder.of("mirror-tomcat");

    private final ConfigurableApplicationContext context;

    private Service(ConfigurableApplicationContext context) {
        this.context = context;
    }

    /** On Tomcat. */
    public static Service servlet(Class<?> application, String... properties) {
        return new Service(builder(application, WebApplicationType.SERVLET, properties).run());
    }

    /** On Netty. */
    public static Service reactive(Class<?> application, String... properties) {
        return new Service(builder(application, WebApplicationType.REACTIVE, properties)
                .resourceLoader(new DefaultResourceLoader(
                        new FilteredClassLoader("org.apache.catalina", "org.apache.coyote", "org.apache.tomcat")))
                .run());
    }

    private static SpringApplicationBuilder builder(Class<?> application, WebApplicationType type, String... properties) {
        List<String> all = new ArrayList<>(List.of("server.port=0", "spring.main.banner-mode=off",
                "spring.application.name=shop", "server.tomcat.basedir=" + TOMCAT.path()));
        boolean withDatabase = List.of(properties).stream().anyMatch(property -> property.startsWith("spring.datasource"));
        if (!withDatabase) {
            all.add(NO_DATABASE);
        }
        all.addAll(List.of(properties));
        return new SpringApplicationBuilder(application).web(type).registerShutdownHook(false)
                .properties(all.toArray(String[]::new));
    }

    public <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    public ConfigurableApplicationContext context() {
        return context;
    }

    public int port() {
        return Integer.parseInt(context.getEnvironment().getProperty("local.server.port"));
    }

    public Answer get(String target, String... headers) {
        return send(request(target, headers).GET());
    }

    public Answer post(String target, String type, byte[] body, String... headers) {
        return send(request(target, headers).header("content-type", type).POST(BodyPublishers.ofByteArray(body)));
    }

    public HttpRequest.Builder request(String target, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + target))
                .timeout(Duration.ofSeconds(60));
        return headers.length == 0 ? request : request.headers(headers);
    }

    public Answer send(HttpRequest.Builder request) {
        try {
            var response = CLIENT.send(request.build(), BodyHandlers.ofByteArray());
            return new Answer(response.statusCode(), response.headers(), response.body());
        } catch (IOException | InterruptedException error) {
            throw new AssertionError(error);
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
