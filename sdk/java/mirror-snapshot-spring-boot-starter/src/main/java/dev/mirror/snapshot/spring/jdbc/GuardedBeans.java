package dev.mirror.snapshot.spring.jdbc;

import dev.mirror.snapshot.guard.GuardedDataSource;
import dev.mirror.snapshot.guard.WriteGuard;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import javax.sql.DataSource;
import org.aopalliance.intercept.MethodInterceptor;
import org.springframework.aop.framework.AopConfigException;
import org.springframework.aop.framework.ProxyFactory;
import org.springframework.aop.support.AopUtils;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.util.ClassUtils;

/**
 * Puts a {@link GuardedDataSource} in front of every {@code DataSource} bean. Where its class allows, the bean keeps its type,
 * for those who ask for a pool by its class; all that gives connections out is guarded.
 */
final class GuardedBeans implements BeanPostProcessor {
    private final WriteGuard guard;

    GuardedBeans(WriteGuard guard) {
        this.guard = guard;
    }

    @Override
    public Object postProcessAfterInitialization(Object bean, String beanName) {
        return bean instanceof DataSource source && !(bean instanceof GuardedDataSource) ? guarded(source) : bean;
    }

    private Object guarded(DataSource source) {
        MethodInterceptor guarding = guarding(new GuardedDataSource(source, guard));
        if (keepsClass(source.getClass())) {
            try {
                ProxyFactory factory = new ProxyFactory();
                factory.setTarget(source);
                factory.setProxyTargetClass(true);
                factory.addAdvice(guarding);
                return factory.getProxy(source.getClass().getClassLoader());
            } catch (AopConfigException noSubclass) {
                // By its interfaces, then.
            }
        }
        ProxyFactory factory = new ProxyFactory(source);
        factory.addAdvice(guarding);
        return factory.getProxy(getClass().getClassLoader());
    }

    private static MethodInterceptor guarding(GuardedDataSource guarded) {
        return call -> {
            Method method = call.getMethod();
            Method known = ClassUtils.getMethodIfAvailable(DataSource.class, method.getName(), method.getParameterTypes());
            return known == null ? call.proceed()
                    : AopUtils.invokeJoinpointUsingReflection(guarded, known, call.getArguments());
        };
    }

    /** A subclass can be made of it, and can stand in the way of each of its methods. */
    private static boolean keepsClass(Class<?> type) {
        int modifiers = type.getModifiers();
        if (Modifier.isFinal(modifiers) || Modifier.isPrivate(modifiers) || type.isHidden() || type.isSynthetic()) {
            return false;
        }
        for (Method method : DataSource.class.getMethods()) {
            Method own = ClassUtils.getMethodIfAvailable(type, method.getName(), method.getParameterTypes());
            if (own == null || Modifier.isFinal(own.getModifiers())) {
                return false;
            }
        }
        return true;
    }
}
