package dev.mirror.snapshot.spring.recorded;

import java.lang.reflect.Method;
import org.springframework.aop.ClassFilter;
import org.springframework.aop.MethodMatcher;
import org.springframework.aop.Pointcut;
import org.springframework.aop.support.AbstractPointcutAdvisor;
import org.springframework.aop.support.StaticMethodMatcher;
import org.aopalliance.aop.Advice;

/** {@link RecordedCalls} around annotated methods. */
final class RecordedAdvisor extends AbstractPointcutAdvisor {
    private static final long serialVersionUID = 1;

    private final transient RecordedCalls calls;
    private final transient Pointcut pointcut;

    RecordedAdvisor(RecordedMethods methods, RecordedCalls calls) {
        this.calls = calls;
        this.pointcut = new Pointcut() {
            @Override
            public ClassFilter getClassFilter() {
                return ClassFilter.TRUE;
            }

            @Override
            public MethodMatcher getMethodMatcher() {
                return new StaticMethodMatcher() {
                    @Override
                    public boolean matches(Method method, Class<?> target) {
                        return methods.find(method, target).isPresent();
                    }
                };
            }
        };
    }

    @Override
    public Pointcut getPointcut() {
        return pointcut;
    }

    @Override
    public Advice getAdvice() {
        return calls;
    }
}
