package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.OnMiss;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.SnapshotFallback;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.SnapshotsBuilder;
import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.store.SnapshotStore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.BeanFactoryUtils;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.util.StringUtils;
import org.springframework.util.unit.DataSize;

/** Properties and beans → the service's snapshots. What cannot be understood ends no service. */
final class SnapshotsFactory {
    private static final Logger LOG = LoggerFactory.getLogger(SnapshotsFactory.class);

    private final SnapshotProperties properties;
    private final ListableBeanFactory beans;

    SnapshotsFactory(SnapshotProperties properties, ListableBeanFactory beans) {
        this.properties = properties;
        this.beans = beans;
    }

    Snapshots create(Part part) {
        if (part.profile() == Profile.OFF) {
            if (properties.enabled() && properties.profile() == null) {
                LOG.info("snapshots are off: neither the Spring profile production nor mirror is active,"
                        + " and mirror.snapshot.profile is not set");
            }
            return Snapshots.off();
        }
        SnapshotsBuilder builder = Snapshots.builder(part.profile());
        if (part.wrong() != null) {
            return builder.refuse(part.wrong()).buildOrExplain();
        }
        try {
            set(builder);
        } catch (IllegalArgumentException | ArithmeticException wrong) {
            builder.refuse("mirror.snapshot: " + wrong.getMessage());
        }
        return builder.buildOrExplain();
    }

    private void set(SnapshotsBuilder builder) {
        builder.rules(properties.rules())
                .client(properties.client())
                .timeToLive(properties.timeToLive())
                .mostBytes(bytes(properties.maxDocument()))
                .queue(properties.queue().documents(), properties.queue().size().toBytes())
                .wait(properties.waits().options())
                .onWrite(properties.onWrite())
                .nonBlocking(NonBlockingThreads.current());
        beans.getBeanProvider(ValueCodec.class).ifAvailable(builder::codec);
        if (properties.onMiss() == OnMiss.FALLBACK && isThere(SnapshotFallback.class)) {
            // Asked for when it is needed: it may itself need a SnapshotSource.
            builder.fallback((name, key, type) -> beans.getBean(SnapshotFallback.class).answer(name, key, type));
        }
        builder.onMiss(properties.onMiss());
        SnapshotStore own = beans.getBeanProvider(SnapshotStore.class).getIfAvailable();
        if (own != null) {
            builder.store(own, "");
        } else if (StringUtils.hasText(properties.store())) {
            builder.store(properties.store().trim());
        }
    }

    private boolean isThere(Class<?> type) {
        return BeanFactoryUtils.beanNamesForTypeIncludingAncestors(beans, type, true, false).length > 0;
    }

    static int bytes(DataSize size) {
        return (int) Math.min(Integer.MAX_VALUE - 8, size.toBytes());
    }
}
