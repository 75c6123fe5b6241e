package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.ConditionalOnSnapshots;
import dev.mirror.snapshot.spring.ReactiveSnapshotSource;
import dev.mirror.snapshot.spring.SnapshotAutoConfiguration;
import dev.mirror.snapshot.spring.SnapshotMisuses;
import java.util.function.Supplier;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Role;
import org.springframework.util.ClassUtils;
import org.springframework.util.function.SingletonSupplier;

/** {@code @RecordedRead} and {@code @RecordedWrite}. */
@AutoConfiguration(after = SnapshotAutoConfiguration.class)
@ConditionalOnSnapshots
public class SnapshotRecordedConfiguration {
    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static RecordedMethods mirrorSnapshotRecordedMethods() {
        return new RecordedMethods();
    }

    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static RecordedBeans mirrorSnapshotRecordedBeans(
            RecordedMethods mirrorSnapshotRecordedMethods, ObjectProvider<Snapshots> snapshots, BeanFactory beans) {
        Supplier<RecordedPublishers> publishers =
                ClassUtils.isPresent("reactor.core.publisher.Mono", RecordedBeans.class.getClassLoader())
                        ? Publishers.of(beans) : () -> null;
        RecordedCalls calls = new RecordedCalls(mirrorSnapshotRecordedMethods, SingletonSupplier.of(snapshots::getObject), publishers);
        return new RecordedBeans(mirrorSnapshotRecordedMethods, calls);
    }

    @Bean
    static SnapshotMisuses mirrorSnapshotMisuses(RecordedMethods mirrorSnapshotRecordedMethods) {
        return mirrorSnapshotRecordedMethods::misuses;
    }

    /** Loaded where the service has Reactor. */
    private static final class Publishers {
        static Supplier<RecordedPublishers> of(BeanFactory beans) {
            return SingletonSupplier.of(() -> new RecordedPublishers(beans.getBean(ReactiveSnapshotSource.class)));
        }
    }
}
