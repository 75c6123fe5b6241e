package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.SnapshotClock;
import dev.mirror.snapshot.SnapshotFallback;
import dev.mirror.snapshot.SnapshotMissException;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.guard.WriteGuard;
import dev.mirror.snapshot.spring.recorded.Stocks;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.springframework.aop.support.AopUtils;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;
import reactor.core.publisher.Mono;

class SnapshotAutoConfigurationTest {
    /** Nothing listens there. */
    private static final String STORE = "mirror.snapshot.store=redis://127.0.0.1:1";
    private static final String RULE = "mirror.snapshot.rules[0]=header:x-id";

    private final ApplicationContextRunner runner =
            new ApplicationContextRunner().withUserConfiguration(Beans.class, Starter.class);

    @Configuration(proxyBeanMethods = false)
    static class Beans {
        @Bean
        Stocks stocks(Environment environment) {
            return new Stocks(new Database(environment));
        }
    }

    private static List<String> parts(ApplicationContext context) {
        return Arrays.stream(context.getBeanDefinitionNames()).filter(name -> name.startsWith("mirrorSnapshot")).toList();
    }

    /** Those of the SDK, by name. */
    private static Set<String> threads() {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName)
                .filter(name -> name.contains("mirror") || name.contains("lettuce")).collect(Collectors.toSet());
    }

    @Test
    void where_it_is_off_there_is_nothing_but_a_source_that_does_every_read() {
        // Clients of other tests end in the background, and begin threads for that.
        Waiting.until("other tests' threads have ended", () -> threads().isEmpty());
        for (String[] off : new String[][] {
            {}, {"mirror.snapshot.enabled=false", "spring.profiles.active=production", STORE, RULE}, {"mirror.snapshot.profile=off", STORE, RULE},
            {"mirror.snapshot.enabled=false", "spring.profiles.active=mirror", "mirror.snapshot.rules[0]=no rule"}, {"spring.profiles.active=test"}}) {
            new WebApplicationContextRunner().withUserConfiguration(Beans.class, Starter.class)
                    .withInitializer(context -> context.getEnvironment().setActiveProfiles(profiles(off)))
                    .withPropertyValues(off).run(context -> {
                        assertNull(context.getStartupFailure());
                        assertEquals(List.of(), parts(context));
                        assertEquals(Profile.OFF, context.getBean(Snapshots.class).profile());
                        assertEquals("read", context.getBean(SnapshotSource.class).load("a", "b", String.class, () -> "read"));
                        assertEquals("written", context.getBean(SnapshotSource.class).write("a", "b", String.class, () -> "written"));
                        assertEquals("read", context.getBean(ReactiveSnapshotSource.class)
                                .load("a", "b", String.class, () -> Mono.just("read")).block());
                        assertEquals(WriteGuard.Verdict.ALLOW, context.getBean(WriteGuard.class).judge("kafka", "topic"));
                        assertEquals(Clock.systemUTC(), context.getBean(Clock.class));
                        assertFalse(AopUtils.isAopProxy(context.getBean(Stocks.class)));
                    });
            assertEquals(Set.of(), threads());
        }
    }

    private static String[] profiles(String[] properties) {
        return Arrays.stream(properties).filter(property -> property.startsWith("spring.profiles.active="))
                .map(property -> property.substring("spring.profiles.active=".length())).toArray(String[]::new);
    }

    @Test
    void the_part_follows_from_the_spring_profiles_unless_it_is_told() {
        record Case(String[] profiles, String told, Profile part) {}
        for (Case each : new Case[] {
            new Case(new String[] {"production"}, "", Profile.PRODUCTION),
            new Case(new String[] {"mirror", "eu"}, "", Profile.MIRROR),
            new Case(new String[] {"production"}, "mirror", Profile.MIRROR),
            new Case(new String[] {"mirror"}, "production", Profile.PRODUCTION),
            new Case(new String[] {"mirror", "production"}, "mirror", Profile.MIRROR),
            new Case(new String[] {}, "PRODUCTION", Profile.PRODUCTION),
            new Case(new String[] {"production"}, "false", Profile.OFF)}) {
            String[] properties = each.told.isEmpty() ? new String[] {STORE, RULE}
                    : new String[] {STORE, RULE, "mirror.snapshot.profile=" + each.told};
            runner.withInitializer(context -> context.getEnvironment().setActiveProfiles(each.profiles)).withPropertyValues(properties)
                    .run(context -> assertEquals(each.part, context.getBean(Snapshots.class).profile(), Arrays.toString(each.profiles)));
        }
    }

    @Test
    void what_cannot_be_understood_leaves_a_service_that_works_and_says_so() {
        record Case(String wrong, String... properties) {}
        String production = "mirror.snapshot.profile=production";
        for (Case each : new Case[] {
            new Case("md6", production, STORE, "mirror.snapshot.rules[0]=md6(\"{path}\")"),
            new Case("scheme", production, RULE, "mirror.snapshot.store=htp://x"),
            new Case("no store", production, RULE),
            new Case("no rule", production, STORE),
            new Case("no store", production, RULE, "mirror.snapshot.store="),
            new Case("poll", production, STORE, RULE, "mirror.snapshot.wait.poll=0s"),
            new Case("fallback", production, STORE, RULE, "mirror.snapshot.on-miss=fallback"),
            new Case("mirror.snapshot.profile", STORE, RULE, "profiles=production,mirror")}) {
            runner.withInitializer(context -> context.getEnvironment().setActiveProfiles(
                            each.properties[each.properties.length - 1].startsWith("profiles") ? new String[] {"production", "mirror"} : new String[0]))
                    .withPropertyValues(each.properties).run(context -> {
                        assertNull(context.getStartupFailure(), each.wrong);
                        Snapshots snapshots = context.getBean(Snapshots.class);
                        assertTrue(snapshots.misconfigured().orElse("nothing").contains(each.wrong), snapshots.misconfigured().toString());
                        String given = Sent.with("x-id", "1").to(snapshots,
                                () -> context.getBean(SnapshotSource.class).load("a", "b", String.class, () -> "read"));
                        assertEquals("read", given);
                        assertNotNull(context.getBean(Stocks.class).stock("a"));
                        assertEquals(1, snapshots.counts().of(Outcome.MISCONFIGURED));
                    });
        }
    }

    @Test
    void a_mirror_that_cannot_be_understood_reads_no_database() {
        runner.withPropertyValues("mirror.snapshot.profile=mirror").run(context -> {
            Snapshots snapshots = context.getBean(Snapshots.class);
            assertTrue(snapshots.misconfigured().isPresent());
            assertThrows(SnapshotMissException.class, () -> Sent.with("x-mirror-request-id", "1").to(snapshots,
                    () -> context.getBean(Stocks.class).stock("a")));
        });
    }

    @Test
    void a_value_of_another_type_ends_the_start_as_spring_does() {
        runner.withPropertyValues("mirror.snapshot.profile=prod", STORE, RULE).run(context -> {
            Throwable failure = context.getStartupFailure();
            assertNotNull(failure);
            while (failure.getCause() != null) {
                failure = failure.getCause();
            }
            assertTrue(failure.getMessage().contains("prod"), failure.getMessage());
        });
    }

    @Test
    void a_fallback_answers_what_no_snapshot_does() throws Exception {
        runner.withUserConfiguration(Fallback.class).withPropertyValues("mirror.snapshot.profile=mirror", STORE, RULE,
                "mirror.snapshot.on-miss=fallback", "mirror.snapshot.wait.timeout=10ms", "mirror.snapshot.wait.poll=5ms").run(context -> {
                    String given = Sent.with("x-mirror-request-id", "1").to(context.getBean(Snapshots.class),
                            () -> context.getBean(SnapshotSource.class).load("a", "b", String.class, () -> "read"));
                    assertEquals("a of b", given);
                });
    }

    /** Needs itself what needs it. */
    @Configuration(proxyBeanMethods = false)
    static class Fallback {
        @Bean
        SnapshotFallback fallback(SnapshotSource source) {
            assertNotNull(source);
            return (name, key, type) -> name + " of " + key;
        }
    }

    @Test
    void with_database_the_mirror_reads_its_own() {
        runner.withPropertyValues("mirror.snapshot.profile=mirror", STORE, RULE, "mirror.snapshot.on-miss=database",
                "mirror.snapshot.wait.timeout=10ms", "mirror.snapshot.wait.poll=5ms").run(context -> {
                    Snapshots snapshots = context.getBean(Snapshots.class);
                    assertTrue(Sent.with("x-mirror-request-id", "1").to(snapshots, () -> context.getBean(Stocks.class).stock("a"))
                            .name().startsWith("a of the mirror"));
                    assertTrue(Sent.with("x-mirror-request-id", "2").to(snapshots, () -> context.getBean(Stocks.class).later("a").join())
                            .name().startsWith("a of the mirror"));
                });
    }

    @Test
    void a_service_keeps_beans_of_its_own() {
        runner.withUserConfiguration(Own.class).withPropertyValues("mirror.snapshot.profile=production", STORE, RULE).run(context -> {
            assertEquals(Instant.EPOCH, context.getBean(Clock.class).instant());
            assertSame(context.getBean("ownCodec"), context.getBean(ValueCodec.class));
            assertEquals(WriteGuard.Verdict.RECORD, context.getBean(WriteGuard.class).judge("a", "b"));
        });
        runner.withPropertyValues("mirror.snapshot.profile=production", STORE, RULE)
                .run(context -> assertInstanceOf(SnapshotClock.class, context.getBean(Clock.class)));
    }

    @Configuration(proxyBeanMethods = false)
    static class Own {
        @Bean
        Clock ownClock() {
            return Clock.fixed(Instant.EPOCH, ZoneOffset.UTC);
        }

        @Bean
        ValueCodec ownCodec() {
            return new ValueCodec();
        }

        @Bean
        WriteGuard ownGuard() {
            return (kind, what) -> WriteGuard.Verdict.RECORD;
        }
    }

    @Test
    void each_part_is_there_where_its_library_is() {
        String[] mirror = {"mirror.snapshot.profile=mirror", STORE, RULE};
        runner.withPropertyValues(mirror).run(context -> assertEquals(Set.of("mirrorSnapshotMeters", "mirrorSnapshotGuardedDataSources",
                "mirrorSnapshotPropagation", "mirrorSnapshotRecordedMethods", "mirrorSnapshotRecordedBeans", "mirrorSnapshotMisuses"),
                Set.copyOf(parts(context))));
        runner.withPropertyValues(mirror).withClassLoader(new FilteredClassLoader("io.micrometer", "javax.sql", "reactor",
                "org.springframework.boot.actuate.health", "org.springframework.boot.health")).run(context -> {
                    assertNull(context.getStartupFailure());
                    assertEquals(Set.of("mirrorSnapshotRecordedMethods", "mirrorSnapshotRecordedBeans", "mirrorSnapshotMisuses"),
                            Set.copyOf(parts(context)));
                    assertFalse(context.containsBean("snapshotsHealthIndicator"));
                    assertEquals(0, context.getBeanNamesForType(ReactiveSnapshotSource.class).length);
                });
        runner.withPropertyValues("mirror.snapshot.profile=mirror", STORE, RULE, "mirror.snapshot.guard.jdbc=off",
                "management.health.snapshots.enabled=false").run(context -> {
                    assertFalse(parts(context).contains("mirrorSnapshotGuardedDataSources"));
                    assertFalse(context.containsBean("snapshotsHealthIndicator"));
                });
    }

    @Test
    void a_web_service_has_the_filter_of_its_kind() {
        String[] production = {"mirror.snapshot.profile=production", STORE, RULE};
        new WebApplicationContextRunner().withUserConfiguration(Starter.class).withPropertyValues(production).run(context -> {
            assertTrue(parts(context).containsAll(List.of("mirrorSnapshotFilter", "mirrorSnapshotRequestListener", "mirrorSnapshotCallables")));
            assertFalse(parts(context).contains("mirrorSnapshotRefusalResolver"));
            assertFalse(parts(context).contains("mirrorSnapshotWebFilter"));
        });
        new WebApplicationContextRunner().withUserConfiguration(Starter.class).withPropertyValues(production)
                .withClassLoader(new FilteredClassLoader("org.springframework.web.servlet", "reactor")).run(context -> {
                    assertNull(context.getStartupFailure());
                    assertTrue(parts(context).contains("mirrorSnapshotFilter"));
                    assertFalse(parts(context).contains("mirrorSnapshotCallables"));
                });
        new ReactiveWebApplicationContextRunner().withUserConfiguration(Starter.class).withPropertyValues(production)
                .withClassLoader(new FilteredClassLoader("jakarta.servlet")).run(context -> {
                    assertNull(context.getStartupFailure());
                    assertTrue(parts(context).contains("mirrorSnapshotWebFilter"));
                    assertFalse(parts(context).contains("mirrorSnapshotFilter"));
                });
    }
}
