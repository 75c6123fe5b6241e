package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Starts services whose class path really lacks what is optional. */
@Tag("once")
class AbsentJarsTest {
    @TempDir
    private Path folder;

    /** What {@link AbsentJarsService} says when it was started without the jars of these names. */
    private String started(String kind, String... absent) throws Exception {
        Pattern left = Pattern.compile("(" + String.join("|", absent) + ")-\\d.*\\.jar");
        List<String> jars = new ArrayList<>(List.of(System.getProperty("java.class.path").split(File.pathSeparator)));
        assertTrue(jars.removeIf(jar -> left.matcher(new File(jar).getName()).matches()), "nothing was left out");
        Process service = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                "-Djava.io.tmpdir=" + folder, "-cp", String.join(File.pathSeparator, jars), AbsentJarsService.class.getName(), kind, Redis.shared().url())
                .redirectErrorStream(true).start();
        try {
            String told = new String(service.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(service.waitFor(60, TimeUnit.SECONDS), told);
            return told;
        } finally {
            service.destroyForcibly();
        }
    }

    private static final String[] REACTIVE = {"spring-webflux", "spring-boot-webflux", "reactor-.*", "reactive-streams", "spring-boot-reactor.*",
        "spring-boot-starter-webflux", "context-propagation"};
    private static final String[] SERVLET = {"spring-webmvc", "spring-boot-webmvc", "spring-boot-tomcat", "tomcat-embed-.*",
        "spring-boot-servlet", "spring-boot-starter-web", "spring-boot-starter-webmvc", "jakarta.servlet-api"};
    private static final String[] OBSERVED = {"micrometer-core", "micrometer-jakarta9", "spring-boot-actuator.*", "spring-boot-health", "spring-boot-micrometer.*",
        "context-propagation"};
    private static final String[] DATABASE = {"spring-jdbc", "spring-boot-jdbc", "HikariCP", "spring-data-.*", "spring-boot-data-.*", "h2",
        "spring-tx", "spring-boot-persistence", "spring-boot-transaction", "spring-boot-sql"};

    private static String[] all(String[]... sets) {
        List<String> all = new ArrayList<>();
        for (String[] set : sets) {
            all.addAll(List.of(set));
        }
        return all.toArray(String[]::new);
    }

    @Test
    void a_servlet_service_needs_neither_reactor_nor_metrics_nor_a_database() throws Exception {
        String told = started("servlet", all(REACTIVE, OBSERVED, DATABASE, new String[] {"lettuce-.*", "netty-.*"}));
        assertTrue(told.contains("answered 200 read by hand, annotated; filed"), told);
        assertTrue(told.contains("mirrorSnapshotFilter") && !told.contains("mirrorSnapshotMeters") && !told.contains("reactiveSnapshotSource"), told);
    }

    @Test
    void a_reactive_service_needs_neither_servlets_nor_metrics_nor_a_database() throws Exception {
        String told = started("reactive", all(SERVLET, OBSERVED, DATABASE, new String[] {"jedis", "commons-pool2"}));
        assertTrue(told.contains("answered 200 read by hand, annotated; filed"), told);
        assertTrue(told.contains("mirrorSnapshotWebFilter") && !told.contains("mirrorSnapshotFilter"), told);
    }

    @Test
    void a_service_without_a_web_needs_nothing_of_it() throws Exception {
        String told = started("none", all(SERVLET, REACTIVE, OBSERVED, DATABASE, new String[] {"lettuce-.*", "netty-.*", "spring-web"}));
        assertTrue(told.contains("filed") && told.contains("mirrorSnapshotRecordedBeans"), told);
        assertFalse(told.contains("mirrorSnapshotFilter") || told.contains("mirrorSnapshotWebFilter"), told);
    }

    @Test
    void without_a_client_for_the_store_the_service_works_and_says_what_to_add() throws Exception {
        String told = started("servlet", all(new String[] {"lettuce-.*", "jedis"}));
        assertTrue(told.contains("answered 200 read by hand, annotated; misconfigured"), told);
        assertTrue(told.contains("io.lettuce:lettuce-core") && told.contains("redis.clients:jedis"), told);
    }
}
