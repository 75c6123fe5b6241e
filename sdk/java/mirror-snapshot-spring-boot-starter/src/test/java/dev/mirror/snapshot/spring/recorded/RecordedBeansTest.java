package dev.mirror.snapshot.spring.recorded;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.SnapshotMissException;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.Database;
import dev.mirror.snapshot.spring.Effects;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.RecordedRead;
import dev.mirror.snapshot.spring.RecordedWrite;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Sent;
import dev.mirror.snapshot.spring.SnapshotMisuses;
import dev.mirror.snapshot.spring.Starter;
import dev.mirror.snapshot.spring.Waiting;
import dev.mirror.snapshot.spring.WrittenValue;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.aopalliance.intercept.MethodInterceptor;
import org.aopalliance.intercept.MethodInvocation;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Publisher;
import org.springframework.aop.framework.Advised;
import org.springframework.aop.framework.ProxyFactory;
import org.springframework.aop.framework.autoproxy.DefaultAdvisorAutoProxyCreator;
import org.springframework.aop.support.AopUtils;
import org.springframework.aop.support.DefaultPointcutAdvisor;
import org.springframework.aop.support.NameMatchMethodPointcut;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.beans.factory.config.ConfigurableBeanFactory;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Scope;
import org.springframework.core.env.Environment;

class RecordedBeansTest {
    private final ApplicationContextRunner runner = new ApplicationContextRunner().withUserConfiguration(Starter.class, Beans.class)
            .withPropertyValues("mirror.snapshot.store=" + Redis.shared().url(), "mirror.snapshot.rules[0]=header:x-id",
                    "mirror.snapshot.wait.timeout=50ms", "mirror.snapshot.wait.poll=10ms");
    private final ApplicationContextRunner production = runner.withPropertyValues("mirror.snapshot.profile=production");
    private final ApplicationContextRunner mirror = runner.withPropertyValues("mirror.snapshot.profile=mirror");

    /** What was filed for some work in production. */
    private static String filed(ApplicationContext context, Callable<?> work) {
        Snapshots snapshots = context.getBean(Snapshots.class);
        return Recorded.by(snapshots, id -> Sent.with("x-id", id).to(snapshots, work)).document();
    }

    private static String misuses(ApplicationContext context) {
        return String.join("\n", context.getBean(SnapshotMisuses.class).misuses());
    }

    @Configuration(proxyBeanMethods = false)
    static class Beans {
        @Bean
        Database database(Environment environment) {
            return new Database(environment);
        }
    }

    // Names and keys.

    @Configuration(proxyBeanMethods = false)
    static class Named {
        @Bean
        Stocks stocks(Database database) {
            return new Stocks(database);
        }

        @Bean
        PricesFactory prices(Database database) {
            return new PricesFactory(database);
        }
    }

    @Test
    void names_and_keys_come_from_the_annotation_or_the_method_and_its_arguments() {
        production.withUserConfiguration(Named.class).run(context -> {
            Stocks stocks = context.getBean(Stocks.class);
            String document = filed(context, () -> {
                stocks.nothing();
                stocks.maybe("none");
                stocks.count("a", 3);
                stocks.all();
                context.getBean(Prices.class).price("p");
                return stocks.generic("g");
            });
            for (String part : new String[] {"\"name\":\"nothing\",\"key\":\"\",\"value\":null", "\"name\":\"Stocks.count\",\"key\":\"[\\\"a\\\",3]\"",
                "\"name\":\"meta\",\"key\":\"\"", "\"name\":\"price\",\"key\":\"p\"", "\"name\":\"generic\",\"key\":\"g\""}) {
                assertTrue(document.contains(part), part + " in " + document);
            }
            assertEquals(Set.of(), context.getBean(SnapshotMisuses.class).misuses());
        });
    }

    // What is written.

    interface Booking {
        @RecordedWrite("interface")
        void book(String order, @WrittenValue List<Integer> amounts);
    }

    static class Bookings implements Booking {
        @Override
        public void book(String order, List<Integer> amounts) {
            amounts.add(2);
        }

        @RecordedWrite("several")
        public int several(@WrittenValue String what, long of, @WrittenValue Integer amount, String and) {
            return 1;
        }

        @RecordedWrite("only")
        public Void only(@WrittenValue Integer amount) {
            return null;
        }

        @RecordedWrite("none")
        public int none(int amount) {
            return amount;
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class BookingBeans {
        @Bean
        Bookings bookings() {
            return new Bookings();
        }
    }

    private static Integer booked(Bookings bookings) {
        bookings.book("a", new ArrayList<>(List.of(1)));
        bookings.several("x", 7, 5, "y");
        bookings.only(8);
        bookings.only(null);
        return bookings.none(9);
    }

    @Test
    void an_argument_that_is_written_is_no_part_of_the_key() {
        String[] expected = {"\"key\":\"a\" [1]", "\"key\":\"[7,\\\"y\\\"]\" [\"x\",5]", "\"key\":\"\" 8", "\"key\":\"\" null", "\"key\":\"9\" null"};
        String[] document = new String[1];
        production.withUserConfiguration(BookingBeans.class).run(context -> {
            assertEquals("", misuses(context));
            document[0] = filed(context, () -> booked(context.getBean(Bookings.class)));
            assertEquals(List.of(expected), writes(document[0]));
        });
        mirror.withUserConfiguration(BookingBeans.class).withPropertyValues("mirror.snapshot.wait.timeout=30s").run(context -> {
            String id = UUID.randomUUID().toString();
            Redis.shared().set("snapshot:" + id, document[0]);
            Snapshots snapshots = context.getBean(Snapshots.class);
            Waiting.until("the mirror reaches its store", () -> Redis.isReached(snapshots));
            Effects<Integer> effects = Effects.by(snapshots, id, send -> {
                Sent sent = new Sent(Map.of("x-mirror-request-id", id, "x-mirror-send", send));
                try {
                    return sent.to(snapshots, () -> booked(context.getBean(Bookings.class)));
                } catch (Exception error) {
                    throw new AssertionError(error);
                }
            });
            assertEquals(9, effects.given());
            assertEquals(List.of(expected), writes(effects.document()));
        });
    }

    /** Key and what is written of each write in a document. */
    private static List<String> writes(String document) {
        List<String> writes = new ArrayList<>();
        Matcher write = Pattern.compile("(\"key\":\"(?:[^\"\\\\]|\\\\.)*\")(?:,\"value\":(?:null|\\d+))?"
                + "(?:,\"written\":\\{\"digest\":\"[0-9a-f]{16}\",\"value\":([^}]*)})?}").matcher(document);
        while (write.find()) {
            writes.add(write.group(1) + " " + write.group(2));
        }
        return writes;
    }

    // Misuse.

    static class Misused {
        @RecordedRead
        public void nothing() {}

        @RecordedRead
        public Stream<String> stream() {
            return Stream.of("a");
        }

        @RecordedRead
        public Iterator<String> iterator() {
            return List.of("a").iterator();
        }

        @RecordedRead
        public InputStream bytes() {
            return InputStream.nullInputStream();
        }

        @RecordedRead
        public Future<String> future() {
            return null;
        }

        @RecordedRead
        public Publisher<String> publisher() {
            return null;
        }

        @RecordedRead
        public <T> T any(Class<T> type) {
            return null;
        }

        @RecordedRead
        public <T> List<T> list(Class<T> type) {
            return null;
        }

        @RecordedRead
        public int written(@WrittenValue int amount) {
            return amount;
        }

        @RecordedRead("fine")
        public List<? extends Number> fine() {
            return List.of(1);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class MisusedBeans {
        @Bean
        Misused misused() {
            return new Misused();
        }
    }

    @Test
    void what_cannot_be_recorded_is_told_at_the_start_and_done_in_production_only() {
        production.withUserConfiguration(MisusedBeans.class).run(context -> {
            String misuses = misuses(context);
            assertEquals(9, misuses.lines().count(), misuses);
            assertTrue(misuses.contains("Misused.written: it has an argument with @WrittenValue"), misuses);
            assertTrue(misuses.contains("Misused.nothing: it gives nothing") && misuses.contains("Misused.any: the type of its result, T,"), misuses);
            Misused misused = context.getBean(Misused.class);
            String document = filed(context, () -> {
                misused.nothing();
                assertEquals(List.of("a"), misused.stream().toList());
                assertEquals("a", misused.iterator().next());
                assertNull(misused.any(String.class));
                return misused.fine();
            });
            assertTrue(document.contains("\"reads\":[{\"name\":\"fine\",\"key\":\"\",\"value\":[1]}]"), document);
        });
        mirror.withUserConfiguration(MisusedBeans.class).run(context -> {
            Misused misused = context.getBean(Misused.class);
            Sent request = Sent.with("x-mirror-request-id", UUID.randomUUID().toString());
            assertThrows(SnapshotMissException.class, () -> request.to(context.getBean(Snapshots.class), misused::stream));
            assertThrows(SnapshotMissException.class, () -> request.to(context.getBean(Snapshots.class), misused::iterator));
        });
    }

    // Classes that cannot be subclassed.

    static final class FinalClass {
        @RecordedRead
        public String read() {
            return "read";
        }
    }

    interface Reader {
        @RecordedRead("by interface")
        String read();
    }

    static final class FinalReader implements Reader {
        @Override
        public String read() {
            return "read";
        }
    }

    static class FinalMethod {
        private final String field = "field";

        @RecordedRead
        public String read() {
            return field;
        }

        public final String other() {
            return field;
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Finals {
        @Bean
        FinalClass finalClass() {
            return new FinalClass();
        }

        @Bean
        Reader finalReader() {
            return new FinalReader();
        }

        @Bean
        Reader lambda() {
            return () -> "lambda";
        }

        @Bean
        FinalMethod finalMethod() {
            return new FinalMethod();
        }
    }

    @Test
    void final_classes_are_recorded_by_their_interfaces_or_left_alone() {
        production.withUserConfiguration(Finals.class).run(context -> {
            assertFalse(AopUtils.isAopProxy(context.getBean(FinalClass.class)));
            assertEquals("field", context.getBean(FinalMethod.class).other());
            String misuses = misuses(context);
            assertTrue(misuses.contains("FinalClass: its class is final") && misuses.contains("FinalMethod: its method other is final"), misuses);
            assertEquals(2, misuses.lines().count(), misuses);
            String document = filed(context, () -> context.getBean("finalReader", Reader.class).read()
                    + context.getBean("lambda", Reader.class).read() + context.getBean(FinalClass.class).read());
            assertTrue(document.contains("\"reads\":[{\"name\":\"by interface\",\"key\":\"\",\"value\":\"read\"},"
                    + "{\"name\":\"by interface\",\"key\":\"\",\"value\":\"lambda\"}]"), document);
        });
    }

    // Other advice, circles and scopes.

    @Configuration(proxyBeanMethods = false)
    static class Advice {
        @Bean
        static DefaultAdvisorAutoProxyCreator creator() {
            DefaultAdvisorAutoProxyCreator creator = new DefaultAdvisorAutoProxyCreator();
            creator.setProxyTargetClass(true);
            return creator;
        }

        /** As a transaction, which must not begin for what the mirror answers. */
        @Bean
        static DefaultPointcutAdvisor transaction() {
            NameMatchMethodPointcut stock = new NameMatchMethodPointcut();
            stock.addMethodName("stock");
            return new DefaultPointcutAdvisor(stock, (MethodInterceptor) call -> {
                throw new IllegalStateException("a transaction began");
            });
        }

        @Bean
        static DefaultPointcutAdvisor harmless() {
            NameMatchMethodPointcut circle = new NameMatchMethodPointcut();
            circle.addMethodName("read");
            circle.setClassFilter(type -> type == One.class || type == Two.class);
            return new DefaultPointcutAdvisor(circle, (MethodInterceptor) MethodInvocation::proceed);
        }

        @Bean
        Stocks stocks(Database database) {
            return new Stocks(database);
        }
    }

    @Test
    void what_the_mirror_answers_passes_no_other_advice() {
        mirror.withUserConfiguration(Advice.class).run(context -> {
            Stocks stocks = context.getBean(Stocks.class);
            assertEquals(2, ((Advised) stocks).getAdvisorCount() - exposed(stocks));
            assertThrows(SnapshotMissException.class, () -> Sent.with("x-mirror-request-id", "advised")
                    .to(context.getBean(Snapshots.class), () -> stocks.stock("a")));
        });
        production.withUserConfiguration(Advice.class).run(context -> assertEquals("a transaction began",
                assertThrows(IllegalStateException.class, () -> context.getBean(Stocks.class).stock("a")).getMessage()));
    }

    private static long exposed(Object proxy) {
        return Arrays.stream(((Advised) proxy).getAdvisors())
                .filter(advisor -> advisor.toString().contains("ExposeInvocation")).count();
    }

    static class One {
        @Autowired
        Two two;

        @RecordedRead("one")
        public String read() {
            return "one";
        }

        public Two two() {
            return two;
        }
    }

    static class Two {
        @Autowired
        One one;

        @RecordedRead("two")
        public String read() {
            return one.read() + " two";
        }

        public One one() {
            return one;
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Circle {
        @Bean
        One one() {
            return new One();
        }

        @Bean
        Two two() {
            return new Two();
        }

        @Bean
        @Scope(ConfigurableBeanFactory.SCOPE_PROTOTYPE)
        Misused each() {
            return new Misused();
        }
    }

    @Test
    void beans_in_a_circle_and_of_other_scopes_are_recorded() {
        for (Class<?> others : new Class<?>[] {Beans.class, Advice.class}) {
            production.withUserConfiguration(Circle.class, others).withAllowCircularReferences(true).run(context -> circle(context));
        }
    }

    private static void circle(AssertableApplicationContext context) throws Exception {
        assertNull(context.getStartupFailure());
        assertTrue(AopUtils.isCglibProxy(context.getBean(One.class)) && AopUtils.isCglibProxy(context.getBean(Two.class)));
        assertSame(context.getBean(One.class), context.getBean(Two.class).one());
        assertSame(context.getBean(Two.class), context.getBean(One.class).two());
        String document = filed(context, () -> context.getBean(Two.class).read());
        assertTrue(document.contains("\"name\":\"one\"") && document.contains("\"value\":\"one two\""), document);
        assertNotSame(context.getBean(Misused.class), context.getBean(Misused.class));
        assertTrue(AopUtils.isCglibProxy(context.getBean(Misused.class)));
    }

    @Test
    void a_bean_without_annotations_is_left_as_it_is() {
        production.withUserConfiguration(Plain.class).run(context -> {
            Database database = context.getBean(Database.class);
            assertSame(Database.class, database.getClass());
            assertSame(Object.class, context.getBean("object").getClass());
            assertFalse(context.getBean("proxied") instanceof Advised proxied && proxied.getAdvisorCount() > 0);
        });
    }

    @Configuration(proxyBeanMethods = false)
    static class Plain {
        @Bean
        Object object() {
            return new Object();
        }

        @Bean
        Object proxied() {
            return new ProxyFactory((Runnable) () -> {}).getProxy();
        }
    }

    // Inheritance.

    abstract static class Base<T> {
        @RecordedRead
        public List<T> list() {
            return given();
        }

        abstract List<T> given();

        @RecordedWrite("put")
        public void put(T value) {}
    }

    static class Concrete extends Base<Stock> {
        @Override
        List<Stock> given() {
            return List.of(new Stock("inherited", null));
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Inherited {
        @Bean
        Concrete concrete() {
            return new Concrete();
        }
    }

    @Test
    void inherited_methods_know_what_their_type_variables_stand_for() {
        production.withUserConfiguration(Inherited.class).run(context -> {
            assertEquals("", misuses(context));
            Concrete concrete = context.getBean(Concrete.class);
            String document = filed(context, () -> {
                concrete.put(new Stock("x", null));
                return concrete.list();
            });
            String id = UUID.randomUUID().toString();
            Redis.shared().set("snapshot:" + id, document);
            assertTrue(document.contains("\"name\":\"Concrete.list\"") && document.contains("\"name\":\"write:put\""), document);
            mirror.withUserConfiguration(Inherited.class).withPropertyValues("mirror.snapshot.wait.timeout=30s").run(mirrored -> {
                Waiting.until("the mirror reaches its store", () -> Redis.isReached(mirrored.getBean(Snapshots.class)));
                Object given = Sent.with("x-mirror-request-id", id).to(mirrored.getBean(Snapshots.class),
                        () -> mirrored.getBean(Concrete.class).list().get(0));
                assertEquals(new Stock("inherited", null), given);
            });
        });
    }
}
