package dev.mirror.snapshot.spring.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.zaxxer.hikari.HikariDataSource;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.guard.WriteRefusedException;
import dev.mirror.snapshot.spring.Starter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.Test;
import org.springframework.aop.support.AopUtils;
import org.springframework.beans.factory.FactoryBean;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Scope;
import org.springframework.context.annotation.ScopedProxyMode;
import org.springframework.context.support.SimpleThreadScope;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.AbstractDataSource;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.jdbc.datasource.LazyConnectionDataSourceProxy;
import org.springframework.jdbc.datasource.embedded.EmbeddedDatabase;
import org.springframework.jdbc.datasource.embedded.EmbeddedDatabaseBuilder;
import org.springframework.jdbc.datasource.embedded.EmbeddedDatabaseType;
import org.springframework.jdbc.datasource.lookup.AbstractRoutingDataSource;

class GuardedBeansTest {
    private final ApplicationContextRunner runner = new ApplicationContextRunner().withUserConfiguration(Starter.class, Sources.class)
            .withInitializer(context -> context.getBeanFactory().registerScope("thread", new SimpleThreadScope()))
            .withPropertyValues("mirror.snapshot.store=redis://127.0.0.1:1", "mirror.snapshot.rules[0]=header:x-id");

    private static final String URL = "jdbc:h2:mem:guarded;DB_CLOSE_DELAY=-1";

    @Configuration(proxyBeanMethods = false)
    static class Sources {
        @Bean
        HikariDataSource pool() {
            HikariDataSource pool = new HikariDataSource();
            pool.setJdbcUrl(URL);
            pool.setMaximumPoolSize(2);
            return pool;
        }

        @Bean
        EmbeddedDatabase embedded() {
            return new EmbeddedDatabaseBuilder().setType(EmbeddedDatabaseType.H2).setName("embedded").build();
        }

        @Bean
        DriverManagerDataSource simple() {
            return new DriverManagerDataSource(URL);
        }

        @Bean
        DataSource finalClass() {
            return new Final();
        }

        @Bean
        FactoryBean<DataSource> made() {
            return new FactoryBean<>() {
                @Override
                public DataSource getObject() {
                    JdbcDataSource source = new JdbcDataSource();
                    source.setURL(URL);
                    return source;
                }

                @Override
                public Class<?> getObjectType() {
                    return DataSource.class;
                }
            };
        }

        @Bean
        @Scope(scopeName = "thread", proxyMode = ScopedProxyMode.TARGET_CLASS)
        DriverManagerDataSource scoped() {
            return new DriverManagerDataSource(URL);
        }

        @Bean
        AbstractRoutingDataSource routing(DriverManagerDataSource simple) {
            AbstractRoutingDataSource routing = new AbstractRoutingDataSource() {
                @Override
                protected Object determineCurrentLookupKey() {
                    return "one";
                }
            };
            routing.setTargetDataSources(Map.of("one", simple));
            return routing;
        }

        @Bean
        LazyConnectionDataSourceProxy lazy(HikariDataSource pool) {
            return new LazyConnectionDataSourceProxy(pool);
        }
    }

    static final class Final extends AbstractDataSource {
        @Override
        public Connection getConnection() throws SQLException {
            return DriverManager.getConnection(URL);
        }

        @Override
        public Connection getConnection(String user, String password) throws SQLException {
            return getConnection();
        }
    }

    private static void write(DataSource source) throws Exception {
        try (Connection connection = source.getConnection(); Statement statement = connection.createStatement()) {
            statement.executeUpdate("create table if not exists written (id int)");
        }
    }

    @Test
    void every_data_source_of_a_mirror_refuses_writes_and_reads_on() {
        runner.withPropertyValues("mirror.snapshot.profile=mirror").run(context -> {
            assertNull(context.getStartupFailure());
            Map<String, DataSource> sources = context.getBeansOfType(DataSource.class);
            assertTrue(sources.size() >= 8, sources.keySet().toString());
            for (Map.Entry<String, DataSource> each : sources.entrySet()) {
                assertEquals(1, new JdbcTemplate(each.getValue()).queryForObject("select 1", Integer.class), each.getKey());
                Exception refused = assertThrows(Exception.class, () -> write(each.getValue()), each.getKey());
                Throwable cause = refused;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                assertInstanceOf(WriteRefusedException.class, cause, each.getKey());
            }
            assertTrue(context.getBean(Snapshots.class).counts().of(Outcome.WRITE_REFUSED) >= sources.size());
        });
    }

    @Test
    void a_pool_keeps_its_class_and_what_it_tells_of_itself() {
        runner.withPropertyValues("mirror.snapshot.profile=mirror").run(context -> {
            HikariDataSource pool = context.getBean(HikariDataSource.class);
            assertEquals(2, pool.getMaximumPoolSize());
            assertTrue(pool.getHikariPoolMXBean() == null || pool.getHikariPoolMXBean().getTotalConnections() >= 0);
            assertInstanceOf(EmbeddedDatabase.class, context.getBean("embedded"));
            assertInstanceOf(AbstractRoutingDataSource.class, context.getBean("routing"));
        });
    }

    @Test
    void writes_are_noted_or_let_through_where_that_is_told() {
        runner.withPropertyValues("mirror.snapshot.profile=mirror", "mirror.snapshot.guard.jdbc=record").run(context -> {
            write(context.getBean(HikariDataSource.class));
            assertEquals(1, context.getBean(Snapshots.class).counts().of(Outcome.WRITE_RECORDED));
            assertThrows(Exception.class, () -> new JdbcTemplate(context.getBean(HikariDataSource.class)).queryForList("select * from written"));
        });
        runner.withPropertyValues("mirror.snapshot.profile=mirror", "mirror.snapshot.guard.jdbc=off").run(context -> {
            assertSame(HikariDataSource.class, context.getBean(HikariDataSource.class).getClass());
            write(context.getBean(HikariDataSource.class));
            new JdbcTemplate(context.getBean(HikariDataSource.class)).execute("drop table written");
        });
    }

    @Test
    void in_production_nothing_is_guarded() {
        runner.withPropertyValues("mirror.snapshot.profile=production").run(context ->
                context.getBeansOfType(DataSource.class).forEach((name, source) ->
                        assertTrue(name.startsWith("scoped") || !AopUtils.isAopProxy(source), name)));
    }
}
