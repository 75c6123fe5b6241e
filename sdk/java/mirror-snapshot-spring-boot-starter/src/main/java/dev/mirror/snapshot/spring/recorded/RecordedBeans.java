package dev.mirror.snapshot.spring.recorded;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.springframework.aop.framework.AopProxyUtils;
import org.springframework.aop.framework.ProxyFactory;
import org.springframework.aop.framework.autoproxy.AbstractBeanFactoryAwareAdvisingPostProcessor;
import org.springframework.util.ClassUtils;
import org.springframework.util.ReflectionUtils;

/**
 * Advises beans with annotated methods, before all other advice: what the mirror answers begins no transaction. Classes are
 * advised by a subclass, proxies and final classes by their interfaces. What cannot be advised without harm is left alone.
 */
final class RecordedBeans extends AbstractBeanFactoryAwareAdvisingPostProcessor {
    private static final long serialVersionUID = 1;

    private final transient RecordedMethods methods;
    /** Beans that others got before they were ready, without other proxies around them. */
    private final transient Map<String, Object> early = new ConcurrentHashMap<>();

    RecordedBeans(RecordedMethods methods, RecordedCalls calls) {
        this.methods = methods;
        this.advisor = new RecordedAdvisor(methods, calls);
        setBeforeExistingAdvisors(true);
        setProxyTargetClass(true);
    }

    @Override
    public Object getEarlyBeanReference(Object bean, String beanName) {
        Object target = AopProxyUtils.getSingletonTarget(bean);
        early.put(beanName, target != null ? target : bean);
        return super.postProcessAfterInitialization(bean, beanName);
    }

    @Override
    public Object postProcessAfterInitialization(Object bean, String beanName) {
        return early.remove(beanName) == bean ? bean : super.postProcessAfterInitialization(bean, beanName);
    }

    /** Of beans that are proxies already, whose interceptors this one joins. */
    @Override
    protected boolean isEligible(Class<?> target) {
        return isAnnotated(target);
    }

    private boolean isAnnotated(Class<?> type) {
        Set<Method> annotated = methods.in(type);
        // Tells now, not at the first call, what is wrong with them.
        annotated.forEach(method -> methods.find(method, type));
        return !annotated.isEmpty();
    }

    @Override
    protected boolean isEligible(Object bean, String beanName) {
        Class<?> type = bean.getClass();
        if (!isAnnotated(type)) {
            return false;
        }
        String obstacle = isByInterfaces(type) ? notInInterfaces(type) : finalMethod(ClassUtils.getUserClass(type));
        if (obstacle != null) {
            methods.misused(ClassUtils.getUserClass(type).getName(), obstacle);
        }
        return obstacle == null;
    }

    @Override
    protected ProxyFactory prepareProxyFactory(Object bean, String beanName) {
        ProxyFactory factory = super.prepareProxyFactory(bean, beanName);
        if (isByInterfaces(bean.getClass())) {
            factory.setProxyTargetClass(false);
            factory.setInterfaces(ClassUtils.getAllInterfacesForClass(bean.getClass()));
        }
        return factory;
    }

    private static boolean isByInterfaces(Class<?> type) {
        return Proxy.isProxyClass(type) || Modifier.isFinal(type.getModifiers()) || type.isHidden();
    }

    private @Nullable String notInInterfaces(Class<?> type) {
        boolean all = methods.in(type).stream().allMatch(method -> Arrays.stream(ClassUtils.getAllInterfacesForClass(type))
                .anyMatch(known -> ClassUtils.hasMethod(known, method)));
        return all ? null : "its class is final: remove `final`, or put the method into an interface that it implements and others use";
    }

    /** One that reads fields would read those of the subclass, which are empty. */
    private static @Nullable String finalMethod(Class<?> type) {
        for (Class<?> at = type; at != null && at != Object.class; at = at.getSuperclass()) {
            for (Method method : ReflectionUtils.getDeclaredMethods(at)) {
                int modifiers = method.getModifiers();
                if (Modifier.isFinal(modifiers) && !Modifier.isStatic(modifiers) && !Modifier.isPrivate(modifiers)
                        && !method.isSynthetic()) {
                    return "its method " + method.getName() + " is final, which a proxy cannot pass on: remove `final`, or move"
                            + " what is annotated into a class of its own";
                }
            }
        }
        return null;
    }
}
