package dev.mirror.snapshot.spring.jdbc;

import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.guard.WriteGuard;
import dev.mirror.snapshot.spring.ConditionalOnSnapshots;
import dev.mirror.snapshot.spring.SnapshotAutoConfiguration;
import javax.sql.DataSource;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Role;

/** Guards the mirror's {@code DataSource} beans against writes. */
@AutoConfiguration(after = SnapshotAutoConfiguration.class)
@ConditionalOnClass(DataSource.class)
@ConditionalOnSnapshots(Profile.MIRROR)
@Conditional(OnJdbcGuard.class)
public class SnapshotJdbcConfiguration {
    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static GuardedBeans mirrorSnapshotGuardedDataSources(ObjectProvider<WriteGuard> guards) {
        return new GuardedBeans(new LateGuard(guards));
    }
}
