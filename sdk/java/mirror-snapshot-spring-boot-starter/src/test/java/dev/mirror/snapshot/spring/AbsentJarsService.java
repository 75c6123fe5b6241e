package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.Snapshots;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Locale;
import java.util.UUID;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Started by {@link AbsentJarsTest} in a process of its own; uses nothing that is optional but a web. */
public final class AbsentJarsService {
    private AbsentJarsService() {}

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {
        @Bean
        Annotated annotated() {
            return new Annotated();
        }
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @Import({Application.class, Web.class})
    static class WebApplication {}

    /** A class with an annotated method. */
    public static class Annotated {
        @RecordedRead("annotated")
        public String read() {
            return "annotated";
        }
    }

    @RestController
    @ConditionalOnWebApplication
    static class Web {
        private final SnapshotSource source;
        private final Annotated annotated;

        Web(SnapshotSource source, Annotated annotated) {
            this.source = source;
            this.annotated = annotated;
        }

        @GetMapping("/")
        String read() {
            return source.load("hand", "", String.class, () -> "read by hand") + ", " + annotated.read();
        }
    }

    /** With the kind of service and the store's URL: says what it answered, whether that was filed, and the starter's beans. */
    public static void main(String[] arguments) throws Exception {
        WebApplicationType type = WebApplicationType.valueOf(arguments[0].toUpperCase(Locale.ROOT));
        Class<?> application = type == WebApplicationType.NONE ? Application.class : WebApplication.class;
        try (ConfigurableApplicationContext context = new SpringApplicationBuilder(application).web(type)
                .properties("server.port=0", "spring.main.banner-mode=off", "mirror.snapshot.profile=production",
                        "mirror.snapshot.store=" + arguments[1], "mirror.snapshot.rules[0]=header:x-id").run()) {
            Snapshots snapshots = context.getBean(Snapshots.class);
            Recorded.Work<String> work = id -> type == WebApplicationType.NONE ? worked(snapshots, context, id) : answered(context, id);
            String told = snapshots.misconfigured().isPresent()
                    ? work.done(UUID.randomUUID().toString()) + "; misconfigured: " + snapshots.misconfigured().get()
                    : Recorded.by(Redis.at(arguments[1]), snapshots, work).given() + "; filed";
            System.out.println("answered " + told + " " + String.join(" ", context.getBeanDefinitionNames()));
        }
    }

    private static String worked(Snapshots snapshots, ConfigurableApplicationContext context, String id) throws Exception {
        return Sent.with("x-id", id).to(snapshots, () -> {
            if (SnapshotContext.current().isEmpty()) {
                throw new AssertionError("no request");
            }
            return context.getBean(Annotated.class).read();
        });
    }

    private static String answered(ConfigurableApplicationContext context, String id) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:"
                + context.getEnvironment().getProperty("local.server.port") + "/")).header("x-id", id).build();
        HttpResponse<String> response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        return response.statusCode() + " " + response.body();
    }
}
